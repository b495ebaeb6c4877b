// Package browsertest clicks through the example and small applications in
// Chromium. Its tests are skipped where Chromium is not installed.
//
// GINAUTH_TEST_CHROMIUM names the program, GINAUTH_TEST_AXE the file axe.min.js of
// axe-core, and GINAUTH_TEST_SCREENS a folder for pictures of every page.
//
// The pictures are compared with those of testdata/screens. After a change of a
// page, run the tests with GINAUTH_TEST_SCREENS_UPDATE=1, look at the pictures
// that changed, and commit them. Machines with other fonts or another Chromium
// compare only where the parts of the pages are.
package browsertest
