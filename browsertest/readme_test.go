package browsertest

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// readmePicture is the picture that README.md begins with.
const readmePicture = "../docs/images/pages.png"

// TestReadmePicture makes the picture of the README anew, with the references of the other pictures: the page to sign in,
// the blog in dark colors, and the devices of a user.
func TestReadmePicture(t *testing.T) {
	if !updating() {
		t.Skip("makes the picture of the README, with GINAUTH_TEST_SCREENS_UPDATE=1")
	}
	chromium(t)
	base := startExample(t)
	light := open(t, base, mode{name: "light", language: "en", script: true})
	light.visit("/login")
	signIn := light.part(620, 700)
	light.signInAs("alice@example.com")
	light.until("somebody is signed in", signedIn)
	light.visit("/devices")
	devices := light.part(620, 340)
	dark := open(t, base, mode{name: "dark", language: "en", script: true, dark: true})
	dark.visit("/")
	home := dark.part(620, 340)

	canvas := image.NewRGBA(image.Rect(0, 0, 1300, 740))
	draw.Draw(canvas, canvas.Bounds(), image.NewUniform(color.RGBA{0xd9, 0xd6, 0xce, 0xff}), image.Point{}, draw.Src)
	for at, part := range map[image.Point]image.Image{{20, 20}: signIn, {660, 20}: home, {660, 380}: devices} {
		draw.Draw(canvas, part.Bounds().Add(at), part, image.Point{}, draw.Src)
	}
	data, err := encode(reduce(canvas))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(readmePicture, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// part returns the picture of a window of a size.
func (b *browser) part(width, height int64) image.Image {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(width, height))
	eval[bool](b, `window.moveOn = `+stillScript+`; true`)
	result, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err != nil {
		b.t.Fatal(err)
	}
	eval[bool](b, `window.moveOn(), true`)
	picture, err := png.Decode(bytes.NewReader(result.Data))
	if err != nil {
		b.t.Fatal(err)
	}
	return picture
}
