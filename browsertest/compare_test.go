package browsertest

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"slices"
)

// Where nothing changed, blocks are off by at most 7, all of it by the palette of the references; a fifth of a pixel
// to the right makes it 10. What TestPicturesShowDamage does to a page makes at least 4 blocks differ by more than 12,
// most of it hundreds by 30 and more.
const (
	// blockSize is the side of the blocks whose means are compared, in pixels of the halved picture: a letter is smaller.
	blockSize = 4
	// maxDelta is how far the mean of a block may be off in a channel of 0 to 255.
	maxDelta = 12
	// maxBlocks is how many blocks may be off by more.
	maxBlocks = 2
	// maxColors is the size of the palette of a reference, and colorDistance how far colors of few pixels are apart.
	maxColors, colorDistance = 128, 10
)

// halve returns a picture at half its size.
func halve(in image.Image) *image.RGBA {
	source := image.NewRGBA(in.Bounds())
	draw.Draw(source, source.Bounds(), in, in.Bounds().Min, draw.Src)
	w, h := source.Bounds().Dx()/2, source.Bounds().Dy()/2
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			a, b := source.PixOffset(2*x, 2*y), source.PixOffset(2*x, 2*y+1)
			o := out.PixOffset(x, y)
			for c := range 4 {
				sum := int(source.Pix[a+c]) + int(source.Pix[a+4+c]) + int(source.Pix[b+c]) + int(source.Pix[b+4+c])
				out.Pix[o+c] = uint8((sum + 2) / 4)
			}
		}
	}
	return out
}

// bin is the colors of a picture that are nearly the same.
type bin struct {
	n, r, g, b int
}

func (b *bin) color() color.Color {
	return color.RGBA{uint8(b.r / b.n), uint8(b.g / b.n), uint8(b.b / b.n), 255}
}

// distance returns how far colors are apart in the channel where they are farthest.
func distance(a, b color.Color) int {
	r1, g1, b1, _ := a.RGBA()
	r2, g2, b2, _ := b.RGBA()
	return max(abs(int(r1>>8)-int(r2>>8)), abs(int(g1>>8)-int(g2>>8)), abs(int(b1>>8)-int(b2>>8)))
}

// reduce returns a picture with few colors. Those of large areas stay as they are.
func reduce(in *image.RGBA) *image.Paletted {
	bins := make(map[[3]uint8]*bin)
	for i := 0; i < len(in.Pix); i += 4 {
		key := [3]uint8{in.Pix[i] >> 3, in.Pix[i+1] >> 3, in.Pix[i+2] >> 3}
		if bins[key] == nil {
			bins[key] = new(bin)
		}
		b := bins[key]
		b.n, b.r, b.g, b.b = b.n+1, b.r+int(in.Pix[i]), b.g+int(in.Pix[i+1]), b.b+int(in.Pix[i+2])
	}
	var all []*bin
	for _, b := range bins {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *bin) int {
		return cmp.Or(b.n-a.n, a.r-b.r, a.g-b.g, a.b-b.b)
	})
	var palette color.Palette
	for _, b := range all {
		large := b.n > len(in.Pix)/4/1000
		if len(palette) < maxColors && (large || distance(palette[palette.Index(b.color())], b.color()) > colorDistance) {
			palette = append(palette, b.color())
		}
	}
	out := image.NewPaletted(in.Bounds(), palette)
	nearest := make(map[[3]uint8]uint8)
	for i := 0; i < len(in.Pix); i += 4 {
		pixel := [3]uint8{in.Pix[i], in.Pix[i+1], in.Pix[i+2]}
		index, known := nearest[pixel]
		if !known {
			index = uint8(palette.Index(color.RGBA{pixel[0], pixel[1], pixel[2], 255}))
			nearest[pixel] = index
		}
		out.Pix[i/4] = index
	}
	return out
}

func encode(picture image.Image) ([]byte, error) {
	var b bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, picture)
	return b.Bytes(), err
}

// difference is what two pictures of a page differ in.
type difference struct {
	size   string            // what is wrong with the size, or ""
	blocks []image.Rectangle // that are off by more than maxDelta
	worst  int               // the largest distance of a block
}

func (d difference) failed() bool { return d.size != "" || len(d.blocks) > maxBlocks }

func (d difference) String() string {
	if d.size != "" {
		return d.size
	}
	if len(d.blocks) == 0 {
		return fmt.Sprintf("no block is off by more than %d of 255", d.worst)
	}
	at := d.blocks[0]
	return fmt.Sprintf("%d blocks differ, by up to %d of 255, the first at x %d, y %d", len(d.blocks), d.worst, 2*at.Min.X, 2*at.Min.Y)
}

// compare compares the means of the blocks of two halved pictures.
func compare(want, got image.Image) difference {
	var d difference
	if w, g := want.Bounds(), got.Bounds(); abs(w.Dx()-g.Dx()) > 1 || abs(w.Dy()-g.Dy()) > 2 {
		d.size = fmt.Sprintf("the page is %d × %d pixels, and was %d × %d", 2*g.Dx(), 2*g.Dy(), 2*w.Dx(), 2*w.Dy())
	}
	common := want.Bounds().Intersect(got.Bounds())
	a, b := flat(want, common), flat(got, common)
	for y := 0; y+blockSize <= common.Dy(); y += blockSize {
		for x := 0; x+blockSize <= common.Dx(); x += blockSize {
			off := delta(a, b, x, y)
			d.worst = max(d.worst, off)
			if off > maxDelta {
				d.blocks = append(d.blocks, image.Rect(x, y, x+blockSize, y+blockSize))
			}
		}
	}
	return d
}

func flat(in image.Image, part image.Rectangle) *image.RGBA {
	out := image.NewRGBA(part)
	draw.Draw(out, part, in, part.Min, draw.Src)
	return out
}

// delta returns how far the means of a block are apart, in the channel where they are farthest.
func delta(a, b *image.RGBA, x0, y0 int) int {
	var sum [3]int
	for y := range blockSize {
		i := a.PixOffset(x0, y0+y)
		for x := range blockSize {
			for c := range sum {
				sum[c] += int(a.Pix[i+4*x+c]) - int(b.Pix[i+4*x+c])
			}
		}
	}
	return max(abs(sum[0]), abs(sum[1]), abs(sum[2])) / (blockSize * blockSize)
}

func abs(n int) int { return max(n, -n) }

// mark returns a picture with frames in red around the blocks that differ.
func mark(got image.Image, d difference) image.Image {
	out := flat(got, got.Bounds())
	for i := 0; i < len(out.Pix); i += 4 {
		grey := (int(out.Pix[i])+int(out.Pix[i+1])+int(out.Pix[i+2]))/6 + 64
		out.Pix[i], out.Pix[i+1], out.Pix[i+2] = uint8(grey), uint8(grey), uint8(grey)
	}
	for _, block := range d.blocks {
		draw.Draw(out, block, image.NewUniform(color.RGBA{220, 0, 0, 255}), image.Point{}, draw.Src)
	}
	return out
}
