// Says where the parts of a page are: their names with x, y, width and height.
(() => {
  const parts = "h1, h2, label, input:not([type=hidden]), button, select, textarea, summary, a, img, nav, .bar, .card," +
    " .notice, .failure, .problem, .rows > li, .qr, .tag";
  return [...document.querySelectorAll(parts)].filter((e) => e.checkVisibility()).map((e) => {
    const at = e.getBoundingClientRect();
    const name = e.localName + (e.id ? "#" + e.id : e.classList.length ? "." + e.classList[0] : "");
    return [name, at.x + scrollX, at.y + scrollY, at.width, at.height].map((v) => (typeof v === "number" ? Math.round(v) : v)).join(" ");
  });
})()
