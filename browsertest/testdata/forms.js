// Returns what would keep password managers, passkeys and people from using the fields of a page.
(() => {
  const faults = [];
  const tokens = (e) => (e.getAttribute("autocomplete") || "").split(/\s+/).filter((t) => t);
  const name = (e) => e.outerHTML.slice(0, 120);
  for (const e of document.querySelectorAll("input:not([type=hidden], [type=checkbox]), textarea, select")) {
    if (!e.labels || e.labels.length === 0) {
      faults.push("no label: " + name(e));
    }
    if (e.localName === "input" && tokens(e).length === 0) {
      faults.push("no autocomplete: " + name(e));
    }
    const kind = { email: ["username", "email"], tel: ["username", "tel"], password: ["current-password", "new-password"] }[e.type];
    if (kind && !tokens(e).some((t) => kind.includes(t))) {
      faults.push("autocomplete is not one of " + kind + ": " + name(e));
    }
    if (e.type === "password" && e.value !== "" && e.defaultValue !== "") {
      faults.push("a password in the page: " + name(e).replace(/value="[^"]*"/, ""));
    }
    if (e.inputMode === "numeric" && !tokens(e).includes("one-time-code")) {
      faults.push("a code without one-time-code: " + name(e));
    }
  }
  for (const form of document.forms) {
    const fields = [...form.elements].filter((e) => e.localName === "input");
    if (form.method !== "post" && form.hasAttribute("action")) {
      faults.push("a form that does not post: " + name(form));
    }
    // On the page of a mailed link nobody may be known.
    if (fields.some((e) => e.type === "password") && !fields.some((e) => tokens(e).includes("username")) && !document.querySelector("body.ga-verify")) {
      faults.push("a password without a field for its user: " + name(form));
    }
  }
  return faults;
})()
