package ginauthtest

// FirstLinkForTest exports firstLink.
func FirstLinkForTest(text string) string { return firstLink(text) }
