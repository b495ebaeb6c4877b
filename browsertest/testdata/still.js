// Makes a page look the same in every run: what is random or tells the time is replaced by something of the
// same length, and nothing moves or blinks. It returns a function that brings everything back.
(() => {
  const undo = [];
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`*, *::before, *::after { animation: none !important; transition: none !important; caret-color: transparent !important; }
svg.qr { background: #888; }
svg.qr * { visibility: hidden; }`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  undo.push(() => { document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => s !== sheet); });

  const still = (text) => text
    .replace(/\b[a-z2-7]{12}(@|%40)example\.com/g, "nina$1example.com")
    .replace(/\b(localhost|127\.0\.0\.1):\d+/g, "localhost:8080")
    .replace(/\b20\d\d-\d\d-\d\d \d\d:\d\d UTC|\b\d{1,2}\D[^\n]*20\d\d[^\n]* UTC|20\d\d年[^\n]* UTC/g, "2026-01-02 15:04 UTC")
    .replace(/\b20\d\d-\d\d-\d\d\b/g, "2026-01-02")
    .replace(/(-email\/)\d+\//g, "$17/")
    .replace(/expires=\d+/g, "expires=1234567890")
    .replace(/[\w-]{20,}/g, (m) => (/\d/.test(m) || m.length > 30 ? "x".repeat(m.length) : m));
  const covered = (text) => text.replace(text.trim().length > 30 ? /\S/g : /[^\s-]/g, "x");
  const secret = (e) => e && e.closest(".codes, .secret, #token, #recovery_code, #code") !== null;

  const set = (object, property, value) => {
    const before = object[property];
    if (before !== value) {
      object[property] = value;
      undo.push(() => { object[property] = before; });
    }
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    set(node, "data", (secret(node.parentElement) ? covered : still)(node.data));
  }
  for (const input of document.querySelectorAll("input:not([type=checkbox], [type=hidden])")) {
    const value = (secret(input) ? covered : still)(input.value);
    // A long text is scrolled as far as that which was typed.
    set(input, "value", value.length > 30 ? value.slice(0, 24) : value);
  }
  return () => { undo.reverse().forEach((f) => f()); };
})()
