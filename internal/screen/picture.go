package screen

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"strconv"
)

// A Picture is what a screen shows. It is an [image.Image], and is not changed once it is made.
type Picture struct {
	Width, Height int
	Pix           []byte // red, green, blue of each pixel, row by row
}

// mostPixels bounds what is taken for a picture: no screen of a lab is larger than 8K.
const mostPixels = 7680 * 4320

// DecodePPM reads a binary PPM file of 8 bits a colour, as QEMU's screendump writes. The picture refers to data,
// which must not be changed afterwards.
func DecodePPM(data []byte) (*Picture, error) {
	rest := data
	var fields [3]int
	if !bytes.HasPrefix(rest, []byte("P6")) {
		return nil, errors.New("picture: it is no PPM file (P6)")
	}
	rest = rest[2:]
	for i := range fields {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		end := bytes.IndexAny(rest, " \t\r\n")
		if end < 0 {
			return nil, errors.New("picture: its head is cut off")
		}
		n, err := strconv.Atoi(string(rest[:end]))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("picture: %q in its head is no positive number", rest[:end])
		}
		fields[i], rest = n, rest[end:]
	}
	width, height := fields[0], fields[1]
	rest = rest[1:]
	switch {
	case fields[2] != 255:
		return nil, fmt.Errorf("picture: its colours go to %d: only 255 is read", fields[2])
	case width > mostPixels || height > mostPixels/width:
		return nil, fmt.Errorf("picture: %d×%d pixels are too many", width, height)
	case len(rest) < 3*width*height:
		return nil, fmt.Errorf("picture: it has %d bytes where %d×%d pixels need %d", len(rest), width, height, 3*width*height)
	}
	return &Picture{width, height, rest[:3*width*height]}, nil
}

// PNG writes the picture as a PNG file.
func (p *Picture) PNG(w io.Writer) error {
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if few := p.paletted(); few != nil {
		return encoder.Encode(w, few)
	}
	return encoder.Encode(w, p)
}

// paletted returns the picture with a palette, which makes a smaller file in less time; nil if it has more than 256
// colours. A text screen has at most 16.
func (p *Picture) paletted() *image.Paletted {
	out := &image.Paletted{Pix: make([]uint8, p.Width*p.Height), Stride: p.Width, Rect: p.Bounds()}
	index := map[[3]byte]uint8{}
	var last [3]byte
	var lastIndex uint8
	for i := range out.Pix {
		c := [3]byte(p.Pix[3*i:])
		if c != last || i == 0 {
			n, known := index[c]
			if !known {
				if len(index) == 256 {
					return nil
				}
				n = uint8(len(index))
				index[c] = n
				out.Palette = append(out.Palette, color.RGBA{c[0], c[1], c[2], 255})
			}
			last, lastIndex = c, n
		}
		out.Pix[i] = lastIndex
	}
	return out
}

// Part returns a part of the picture, which must lie within it.
func (p *Picture) Part(r image.Rectangle) *Picture {
	part := &Picture{Width: r.Dx(), Height: r.Dy()}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		part.Pix = append(part.Pix, p.Pix[3*(y*p.Width+r.Min.X):3*(y*p.Width+r.Max.X)]...)
	}
	return part
}

// ColorModel is part of [image.Image].
func (p *Picture) ColorModel() color.Model { return color.RGBAModel }

// Bounds is part of [image.Image]; the picture begins at (0,0).
func (p *Picture) Bounds() image.Rectangle { return image.Rect(0, 0, p.Width, p.Height) }

// At is part of [image.Image].
func (p *Picture) At(x, y int) color.Color {
	if !image.Pt(x, y).In(p.Bounds()) {
		return color.RGBA{}
	}
	c := p.pixel(x, y)
	return color.RGBA{c[0], c[1], c[2], 255}
}

func (p *Picture) pixel(x, y int) [3]byte { return [3]byte(p.Pix[3*(y*p.Width+x):]) }

// plain reports whether the picture is all of one colour: a screen that is off or was just cleared.
func (p *Picture) plain() bool {
	first := p.Pix[:3]
	for i := 3; i < len(p.Pix); i += 3 {
		if p.Pix[i] != first[0] || p.Pix[i+1] != first[1] || p.Pix[i+2] != first[2] {
			return false
		}
	}
	return true
}
