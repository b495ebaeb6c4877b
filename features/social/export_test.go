package social

// ClipForTest is clip.
var ClipForTest = clip
