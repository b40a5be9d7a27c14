// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// plots are drawings of series of points, which share the horizontal axis
// within a plot. It is logarithmic, as the steps of what is measured are.
type plots struct {
	order []string
	named map[string]*plot
}

type plot struct {
	series []*series
}

type series struct {
	name   string
	points []point
}

type point struct{ x, y float64 }

// add adds a point to a series of a plot.
func (p *plots) add(name, line string, x, y float64) {
	if p.named == nil {
		p.named = make(map[string]*plot)
	}
	drawn := p.named[name]
	if drawn == nil {
		drawn = &plot{}
		p.named[name] = drawn
		p.order = append(p.order, name)
	}
	for _, s := range drawn.series {
		if s.name == line {
			s.points = append(s.points, point{x, y})
			return
		}
	}
	drawn.series = append(drawn.series, &series{name: line, points: []point{{x, y}}})
}

// titles say what the plots show.
var titles = map[string]string{
	"growth-time":  "ms per operation (median), by people in the store",
	"growth-bytes": "bytes kept per person, by people in the store",
	"growth-heap":  "MiB of heap in this process, by people in the store",
	"days-file":    "MiB of bolt's file, by day",
	"days-time":    "ms per operation on bolt beside the sweep (median), by day",
	"connections":  "operations per second, by callers",
}

// write draws each plot into a folder, as SVG.
func (p *plots) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range p.order {
		if err := os.WriteFile(filepath.Join(dir, name+".svg"), []byte(p.named[name].svg(titles[name])), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// The sizes of a drawing. The right margin has the series' names.
const (
	width, height             = 720, 360
	left, right, above, below = 64, 170, 40, 40
	plotWidth, plotHeight     = width - left - right, height - above - below
	black, grey               = "#222", "#ddd"
)

var colours = []string{"#0b6e4f", "#c1121f", "#1d4e89", "#e07a00", "#6a4c93", "#555"}

func (p *plot) svg(title string) string {
	minX, maxX, maxY := math.Inf(1), math.Inf(-1), 0.0
	for _, s := range p.series {
		for _, q := range s.points {
			minX, maxX, maxY = min(minX, q.x), max(maxX, q.x), max(maxY, q.y)
		}
	}
	step := niceStep(maxY / 4)
	maxY = step * math.Ceil(maxY/step)
	atX := func(x float64) float64 {
		if maxX == minX {
			return left + plotWidth/2
		}
		return left + plotWidth*(math.Log(x)-math.Log(minX))/(math.Log(maxX)-math.Log(minX))
	}
	atY := func(y float64) float64 { return above + plotHeight*(1-y/maxY) }

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="22" font-size="14" fill="%s">%s</text>`+"\n", left, black, title)
	for y := 0.0; y <= maxY*1.0001; y += step {
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s"/><text x="%d" y="%.1f" text-anchor="end" fill="%s">%s</text>`+"\n",
			left, left+plotWidth, atY(y), atY(y), grey, left-6, atY(y)+4, black, short(y))
	}
	drawn := make(map[float64]bool)
	for i, s := range p.series {
		colour := colours[i%len(colours)]
		var path strings.Builder
		for j, q := range s.points {
			fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(j, 1)], atX(q.x), atY(q.y))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, atX(q.x), atY(q.y), colour)
			if !drawn[q.x] {
				drawn[q.x] = true
				fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" fill="%s">%s</text>`, atX(q.x), above+plotHeight+18, black, short(q.x))
			}
		}
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`, path.String(), colour)
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="10" height="10" fill="%s"/><text x="%d" y="%d" fill="%s">%s</text>`+"\n",
			left+plotWidth+14, above+i*20, colour, left+plotWidth+30, above+9+i*20, black, s.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// niceStep is the least of 1, 2 and 5 times a power of ten that isn't below a
// number.
func niceStep(above float64) float64 {
	if above <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(above)))
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= above {
			return factor * power
		}
	}
	return 10 * power
}

// short writes a number with k and M for thousands and millions.
func short(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%gM", n/1e6)
	case n >= 1e4 || n == math.Trunc(n/1e3)*1e3 && n > 0:
		return fmt.Sprintf("%gk", n/1e3)
	}
	return fmt.Sprintf("%.4g", n)
}
