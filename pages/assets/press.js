// Presses the button of a mailed link's page, once, where the link was opened in the browser that asked for it.
"use strict";
(() => {
  const press = () => {
    const [visit] = performance.getEntriesByType("navigation");
    if (!visit || visit.type === "navigate") { // a person who came back wants to read
      document.querySelector("form[data-press] button").click();
    }
  };
  if (document.prerendering) {
    document.addEventListener("prerenderingchange", press, { once: true });
  } else {
    press();
  }
})();
