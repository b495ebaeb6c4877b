package browsertest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// references is the folder of the pictures that pages are compared with.
const references = "testdata/screens"

var (
	//go:embed testdata/still.js
	stillScript string
	//go:embed testdata/landmarks.js
	landmarksScript string
)

// album is what the tests of a run saw.
var album struct {
	mu        sync.Mutex
	pictures  map[string]string // the test by the name of the picture
	templates map[string]bool   // the pages, by mode and template
	landmarks map[string][]string
	// calibration is how the calibration differs from its picture, once it was compared.
	calibration *difference
}

// updating says that references are rewritten in place of being compared.
func updating() bool { return os.Getenv("GINAUTH_TEST_SCREENS_UPDATE") != "" }

var unsafeName = regexp.MustCompile(`[^a-z0-9]+`)

// shoot takes a picture of the page, halved, and says where its parts are.
func (b *browser) shoot() (full []byte, half *image.RGBA, landmarks []string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseMoved}); err != nil {
		b.t.Fatal(err)
	}
	landmarks = eval[[]string](b, `window.moveOn = `+stillScript+`; `+landmarksScript)
	result, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		CaptureBeyondViewport: new(true), FromSurface: new(true), OptimizeForSpeed: new(true),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	eval[bool](b, `window.moveOn(), true`)
	picture, err := png.Decode(bytes.NewReader(result.Data))
	if err != nil {
		b.t.Fatal(err)
	}
	return result.Data, halve(picture), landmarks
}

// picture compares what the page looks like with the reference.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("GINAUTH_TEST_SCREENS")
	if !b.kept && dir == "" {
		return
	}
	name = strings.Trim(unsafeName.ReplaceAllString(strings.ToLower(b.name+" "+name), "-"), "-")
	full, half, landmarks := b.shoot()
	if dir != "" {
		b.save(dir, name+".png", full)
	}
	if !b.kept {
		return
	}
	b.remember(name)
	same := b.calibrated()
	if updating() {
		b.update(name, half, landmarks)
		return
	}
	if !same {
		b.compareLandmarks(name, landmarks)
		return
	}
	want, err := reference(name)
	if err != nil {
		b.t.Errorf("%v: look at the page, and write its reference with GINAUTH_TEST_SCREENS_UPDATE=1", err)
		return
	}
	d := compare(want, half)
	for range 3 { // what is painted late is no fault
		if !d.failed() {
			return
		}
		_, half, _ = b.shoot()
		d = compare(want, half)
	}
	if d.failed() {
		b.show(name, want, half, d)
	}
}

// remember notes that there is a picture of this name.
func (b *browser) remember(name string) {
	b.t.Helper()
	template := strings.TrimPrefix(eval[string](b, `document.body.className`), "ga-")
	album.mu.Lock()
	defer album.mu.Unlock()
	if album.pictures == nil {
		album.pictures, album.templates = make(map[string]string), make(map[string]bool)
	}
	if other, ok := album.pictures[name]; ok {
		b.t.Errorf("%s and %s have a picture of the same name: %s", other, b.t.Name(), name)
	}
	album.pictures[name] = b.t.Name()
	album.templates[b.mode.name+": "+template] = true
}

// show writes what differs to files.
func (b *browser) show(name string, want, got image.Image, d difference) {
	b.t.Helper()
	dir := os.Getenv("GINAUTH_TEST_SCREENS")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "ginauth-screens")
	}
	for suffix, picture := range map[string]image.Image{"expected": want, "got": got, "difference": mark(got, d)} {
		data, err := encode(picture)
		if err != nil {
			b.t.Fatal(err)
		}
		b.save(dir, name+"."+suffix+".png", data)
	}
	b.t.Errorf("the page looks different: %v: see %s, and if it is meant, write the reference with GINAUTH_TEST_SCREENS_UPDATE=1",
		d, filepath.Join(dir, name+".difference.png"))
}

func (b *browser) save(dir, name string, data []byte) {
	b.t.Helper()
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), data, 0o644)); err != nil {
		b.t.Fatal(err)
	}
}

// update writes the reference.
func (b *browser) update(name string, half *image.RGBA, landmarks []string) {
	b.t.Helper()
	data, err := encode(reduce(half))
	if err != nil {
		b.t.Fatal(err)
	}
	if was, err := reference(name); err != nil || compare(was, half).size != "" || compare(was, half).worst > maxDelta-3 {
		b.save(references, name+".png", data)
	}
	album.mu.Lock()
	defer album.mu.Unlock()
	if album.landmarks == nil {
		album.landmarks = make(map[string][]string)
	}
	album.landmarks[name] = landmarks
}

// reference returns the picture that a page is compared with.
func reference(name string) (image.Image, error) {
	file, err := os.Open(filepath.Join(references, name+".png"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return png.Decode(file)
}

// calibration is a page in what the pages are made of. Where it looks different, so does every page.
const calibration = `document.body.innerHTML = '<p style="font: 16px system-ui, sans-serif">Hamburgefonstiv ÄÖÜß àéîñ 0123456789<br>' +
'<b>Hamburgefonstiv ÄÖÜß 0123456789</b><br><span dir="rtl">تسجيل الدخول إنشاء حساب</span><br><code>Hamburgefonstiv 0123</code></p>' +
'<p><input value="Text"> <input type="checkbox" checked> <select><option>Choice</select> <button>Button</button></p>'; true`

// calibrated reports whether this machine has the fonts and the browser of the references.
func (b *browser) calibrated() bool {
	b.t.Helper()
	if album.calibration == nil {
		d := b.calibrate()
		album.calibration = &d
	}
	if album.calibration.failed() {
		b.t.Logf("the fonts or the browser are not those of the pictures (%v): only where the parts of pages are is compared", album.calibration)
	}
	return !album.calibration.failed()
}

// calibrate compares the page of the calibration with its picture.
func (b *browser) calibrate() difference {
	b.t.Helper()
	c := open(b.t, "", mode{name: "calibration", language: "en", script: true})
	eval[bool](c, calibration)
	_, half, _ := c.shoot()
	if updating() {
		c.update("calibration", half, nil)
	}
	want, err := reference("calibration")
	if err != nil {
		b.t.Fatal(err)
	}
	return compare(want, half)
}

// landmarksFile says where the parts of the pages of the references are.
var landmarksFile = filepath.Join(references, "landmarks.json")

var knownLandmarks = sync.OnceValues(func() (map[string][]string, error) {
	all := make(map[string][]string)
	data, err := os.ReadFile(landmarksFile)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(data, &all)
})

// compareLandmarks compares where the parts of a page are, with the tolerance that other fonts need.
func (b *browser) compareLandmarks(name string, got []string) {
	b.t.Helper()
	all, err := knownLandmarks()
	if err != nil {
		b.t.Fatal(err)
	}
	if fault := offLandmarks(all[name], got); fault != "" {
		b.t.Errorf("%s looks different: %s", name, fault)
	}
}

// part is a part of a page.
type part struct {
	name       string
	x, y, w, h int
}

func newPart(landmark string) (p part, err error) {
	_, err = fmt.Sscan(landmark, &p.name, &p.x, &p.y, &p.w, &p.h)
	return p, err
}

// near reports whether a part is about where it was. There may be some lines of text more or less above it.
func (p part) near(was part, lines int) bool {
	size := abs(p.w-was.w) <= 24+was.w/4 && abs(p.h-was.h) <= 32*lines+was.h/4
	place := abs(p.x-was.x) <= 48+was.w/4 && abs(p.y-was.y) <= 32*lines+was.y/8
	// Where words have another width, a link or a tag may be in the line before or after.
	wrapped := slices.Contains([]string{"a", "button.link", "span.tag"}, p.name) && abs(p.y-was.y) >= 16 && abs(p.y-was.y) <= 32*(lines+1)+was.y/8
	return size && (place || wrapped)
}

// offLandmarks returns what is wrong with the parts of a page, or "".
func offLandmarks(want, got []string) string {
	if len(want) != len(got) {
		return fmt.Sprintf("it has %d parts, and had %d:\n%s\nand had:\n%s", len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	lines := 1
	for i := range want {
		w, err1 := newPart(want[i])
		g, err2 := newPart(got[i])
		if err1 != nil || err2 != nil || w.name != g.name || !g.near(w, lines) {
			return fmt.Sprintf("part %q, and was %q", got[i], want[i])
		}
		if abs(g.h-w.h) > 12 {
			lines++
		}
	}
	return ""
}

// wholeRun reports whether all tests of the package have run, so that what none of them saw is not there.
func wholeRun() bool {
	return flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && album.pictures != nil
}

// closeAlbum writes the landmarks of references that were rewritten. After a run of all tests it returns the references
// that are of no page, and the templates that no test looked at.
func closeAlbum() error {
	if updating() && album.landmarks != nil {
		all, err := knownLandmarks()
		if err != nil {
			return err
		}
		maps.Copy(all, album.landmarks)
		if wholeRun() {
			maps.DeleteFunc(all, func(name string, _ []string) bool { return album.pictures[name] == "" })
		}
		data, err := json.MarshalIndent(all, "", " ")
		if err := errors.Join(err, os.WriteFile(landmarksFile, append(data, '\n'), 0o644)); err != nil {
			return err
		}
	}
	if !wholeRun() {
		return nil
	}
	return errors.Join(staleReferences(), unseenTemplates())
}

func staleReferences() error {
	files, err := filepath.Glob(filepath.Join(references, "*.png"))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".png")
		if album.pictures[name] != "" || name == "calibration" {
			continue
		}
		if updating() {
			err = errors.Join(err, os.Remove(file))
		} else {
			err = errors.Join(err, fmt.Errorf("%s is of no page: remove it, or run all tests with GINAUTH_TEST_SCREENS_UPDATE=1", file))
		}
	}
	return err
}

// unseenTemplates returns an error for each template that was not looked at in the first two modes: by mouse in light
// colors, and by keyboard on a phone in dark ones.
func unseenTemplates() error {
	files, err := filepath.Glob("../pages/templates/*.html")
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".html")
		if slices.Contains([]string{"layout", "parts"}, name) {
			continue
		}
		for _, m := range modes[:2] {
			if !album.templates[m.name+": "+name] {
				err = errors.Join(err, fmt.Errorf("no test looks at the page %s.html in the mode %q", name, m.name))
			}
		}
	}
	return err
}
