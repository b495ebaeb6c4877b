// Moves the token of a mailed link from the fragment of the address into the form, and out of the history.
"use strict";
(() => {
  const part = new URLSearchParams(location.hash.slice(1));
  const token = document.getElementById("token");
  if (!token || !part.get("token")) {
    return;
  }
  token.value = part.get("token");
  document.getElementById("token-field").hidden = !token.hasAttribute("aria-invalid");
  const email = document.getElementById("email");
  if (email && !email.value && part.get("email")) {
    email.value = part.get("email");
  }
  history.replaceState(null, "", location.pathname + location.search);
})();
