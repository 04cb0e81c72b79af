package screen

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
)

// A Needle is a part of a picture that is looked for. Pixels that are transparent in its file do not count, so that what
// changes (a clock, a cursor) can be wiped out with any painting program.
type Needle struct {
	Width, Height int
	points        []point // those that count, so ordered that what is no match is seen soon
}

type point struct {
	x, y   int
	colour [3]byte
}

// DecodeNeedle reads a PNG file. Pixels of which less than half is opaque do not count.
func DecodeNeedle(data []byte) (*Needle, error) {
	head, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("picture to look for: it is no PNG file: %w", err)
	}
	if head.Width > mostPixels || head.Height > mostPixels/head.Width {
		return nil, fmt.Errorf("picture to look for: %d×%d pixels are too many", head.Width, head.Height)
	}
	decoded, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("picture to look for: %w", err)
	}
	n := &Needle{Width: head.Width, Height: head.Height}
	pixels := image.NewNRGBA(image.Rect(0, 0, n.Width, n.Height))
	draw.Draw(pixels, pixels.Rect, decoded, decoded.Bounds().Min, draw.Src)
	for y := range n.Height {
		for x := range n.Width {
			if c := pixels.NRGBAAt(x, y); c.A >= 0x80 {
				n.points = append(n.points, point{x, y, [3]byte{c.R, c.G, c.B}})
			}
		}
	}
	if len(n.points) == 0 {
		return nil, errors.New("picture to look for: all of it is transparent: nothing is left to compare")
	}
	n.order()
	return n, nil
}

// order puts points first that have not the colour which most have, spread over the needle: a plain background matches
// in many places, and there what stands on it is missed at once.
func (n *Needle) order() {
	times := map[[3]byte]int{}
	var common [3]byte
	for _, p := range n.points {
		if times[p.colour]++; times[p.colour] > times[common] {
			common = p.colour
		}
	}
	var first, rest []point
	for _, p := range n.points {
		if p.colour != common {
			first = append(first, p)
		} else {
			rest = append(rest, p)
		}
	}
	n.points = append(spread(first), spread(rest)...)
}

// spread reorders points so that neighbours are far from each other: it steps through them by a fraction of
// their number, the golden section, that comes near no place again.
func spread(points []point) []point {
	if len(points) < 3 {
		return points
	}
	step := int(float64(len(points)) * 0.618)
	for gcd(step, len(points)) != 1 {
		step++
	}
	out := make([]point, 0, len(points))
	for i, at := 0, 0; i < len(points); i, at = i+1, (at+step)%len(points) {
		out = append(out, points[at])
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Likeness is how much of a needle is found at one place of a picture: 1 is all of it. A pixel counts as found if its red,
// green and blue each differ by at most tolerance, which is 0 to 255. At a place where the needle does not lie
// within the picture it is 0.
func (p *Picture) Likeness(n *Needle, at image.Point, tolerance int) float64 {
	if !n.fits(p, at) {
		return 0
	}
	missed := p.missed(n, at, tolerance, len(n.points))
	return float64(len(n.points)-missed) / float64(len(n.points))
}

// Find returns where in a picture a needle is found best, and how much of it is found there, as Likeness tells. Of several
// places the first one counts, from the top, then from the left. A needle larger than the picture has likeness 0.
func (p *Picture) Find(n *Needle, tolerance int) (at image.Point, likeness float64) {
	least := len(n.points) + 1
	for y := 0; y <= p.Height-n.Height; y++ {
		for x := 0; x <= p.Width-n.Width; x++ {
			if missed := p.missed(n, image.Pt(x, y), tolerance, least-1); missed < least {
				at, least = image.Pt(x, y), missed
			}
			if least == 0 {
				return at, 1
			}
		}
	}
	return at, max(0, float64(len(n.points)-least)/float64(len(n.points)))
}

func (n *Needle) fits(p *Picture, at image.Point) bool {
	return image.Rectangle{at, at.Add(image.Pt(n.Width, n.Height))}.In(p.Bounds())
}

// missed counts a needle's pixels that are not found at a place, up to one more than most.
func (p *Picture) missed(n *Needle, at image.Point, tolerance, most int) (missed int) {
	for i := range n.points {
		want := &n.points[i]
		start := 3 * ((at.Y+want.y)*p.Width + at.X + want.x)
		got := p.Pix[start : start+3]
		if differs(got[0], want.colour[0], tolerance) || differs(got[1], want.colour[1], tolerance) || differs(got[2], want.colour[2], tolerance) {
			if missed++; missed > most {
				return missed
			}
		}
	}
	return missed
}

func differs(a, b byte, tolerance int) bool {
	d := int(a) - int(b)
	return d > tolerance || d < -tolerance
}
