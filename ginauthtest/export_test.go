package ginauthtest

// FirstLinkForTest is firstLink.
func FirstLinkForTest(text string) string { return firstLink(text) }
