package browsertest

import (
	"image"
	"testing"
)

// damages are what a careless change could do to the page to sign in. Each must be seen in its picture.
var damages = map[string]string{
	"button removed":      `document.querySelector("main form button").remove()`,
	"link removed":        `document.querySelector(".more li").remove()`,
	"logo missing":        `document.querySelector(".brand img").style.visibility = "hidden"`,
	"logo a little off":   `document.querySelector(".brand img").style.transform = "translateY(3px)"`,
	"card moved":          `document.querySelector(".card").style.transform = "translateX(3px)"`,
	"card without border": `document.querySelector(".card").style.border = "0"`,
	"card too wide":       `document.querySelector(".card").style.width = "100%"`,
	"accent changed":      `document.documentElement.style.setProperty("--accent", "#0b5a66")`,
	"background changed":  `document.documentElement.style.setProperty("--background", "#e7e5e0")`,
	"text too pale":       `document.documentElement.style.setProperty("--text", "#5b5f67")`,
	"text smaller":        `document.body.style.fontSize = "15px"`,
	"label cut":           `document.querySelector("label").style.cssText = "width: 3rem; overflow: hidden; white-space: nowrap"`,
	"label changed":       `document.querySelector("label").textContent = "Email adress"`,
	"label not bold":      `document.querySelector("label").style.fontWeight = "400"`,
	"fields overlap":      `document.querySelector("#password-field").style.marginTop = "-1rem"`,
	"fields swapped":      `document.querySelector("#password-field").after(document.querySelector("#email-field"))`,
	"right to left":       `document.documentElement.dir = "rtl"`,
	"no stylesheet":       `document.querySelectorAll("link[rel=stylesheet]").forEach((e) => { e.disabled = true })`,
	"dark in light":       `document.documentElement.style.colorScheme = "dark"`,
	"square corners":      `document.documentElement.style.setProperty("--radius", "4px")`,
}

// harmless is what another machine may do to the page.
var harmless = map[string]string{
	"nothing":               `0`,
	"a fraction of a pixel": `document.querySelector("main").style.transform = "translateX(.2px)"`,
	"a color":               `document.documentElement.style.setProperty("--text", "#1d212a")`,
}

// foreign are fonts in place of the usual one. Where the parts of a page are must still be recognized.
var foreign = []string{"DejaVu Serif, serif", "DejaVu Sans Condensed, sans-serif", "serif"}

// TestPicturesShowDamage damages a page in each of the ways that pictures must show.
func TestPicturesShowDamage(t *testing.T) {
	chromium(t)
	b := open(t, startExample(t), modes[0])
	shoot := func(change string) (*image.RGBA, []string) {
		b.visit("/login")
		eval[bool](b, change+`; true`)
		_, half, landmarks := b.shoot()
		return half, landmarks
	}
	half, landmarks := shoot("0")
	want := reduce(half)
	for name, change := range damages {
		half, _ := shoot(change)
		d := compare(want, half)
		t.Logf("%s: %v", name, d)
		if !d.failed() {
			t.Errorf("%s is not seen: %v", name, d)
		}
	}
	for name, change := range harmless {
		half, _ := shoot(change)
		d := compare(want, half)
		t.Logf("%s: %v", name, d)
		if d.failed() {
			t.Errorf("%s looks different: %v", name, d)
		}
	}
	for _, font := range foreign {
		_, got := shoot(`document.body.style.fontFamily = "` + font + `"`)
		if fault := offLandmarks(landmarks, got); fault != "" {
			t.Errorf("font %s: %s", font, fault)
		}
	}
	for _, name := range []string{"button removed", "link removed", "card too wide", "fields swapped", "right to left", "no stylesheet"} {
		if _, got := shoot(damages[name]); offLandmarks(landmarks, got) == "" {
			t.Errorf("%s is not seen in the landmarks", name)
		}
	}
}
