// Package browsertest clicks through the example and small applications in
// Chromium. Its tests are skipped where Chromium is not installed.
//
// GINAUTH_TEST_CHROMIUM names the program, GINAUTH_TEST_AXE the file axe.min.js of
// axe-core, and GINAUTH_TEST_SCREENSHOTS a folder for pictures of every page.
package browsertest
