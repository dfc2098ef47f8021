package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
)

// Chart is one figure.
type Chart struct {
	Title  string
	Note   string // one line under the title: machine, date, rounds
	Panels []Panel
}

// Panel compares one measure. Bars start at zero, whatever the values.
type Panel struct {
	Title string // with unit
	Bars  []Bar
}

// Bar is one server's value. Low and High are the ends of the whisker, which is omitted where both equal Value.
// A server without a value has Missing set to the reason and no bar.
type Bar struct {
	Label            string
	Value, Low, High float64
	Ours             bool
	Missing          string
}

// Geometry, in SVG units.
const (
	width      = 760
	margin     = 16
	labelWidth = 130
	valueWidth = 90
	barHeight  = 16
	rowHeight  = 24
	headHeight = 56
	panelHead  = 34
	span       = width - 2*margin - labelWidth - valueWidth
)

// SVG draws c.
func (c Chart) SVG() []byte {
	height := headHeight + margin
	for _, p := range c.Panels {
		height += panelHead + rowHeight*len(p.Bars)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	text(&b, margin, 26, `font-size="17" font-weight="bold" fill="#1a1a1a"`, c.Title)
	text(&b, margin, 46, `font-size="11" fill="#666666"`, c.Note)
	y := headHeight
	for _, p := range c.Panels {
		text(&b, margin, y+22, `font-weight="bold" fill="#1a1a1a"`, p.Title)
		y += panelHead
		top := p.top()
		for _, bar := range p.Bars {
			bar.draw(&b, y, top)
			y += rowHeight
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// top returns the value at the full length of a bar.
func (p Panel) top() float64 {
	top := 0.0
	for _, b := range p.Bars {
		if b.Missing == "" {
			top = max(top, b.Value, b.High)
		}
	}
	return top
}

func (r Bar) draw(b *bytes.Buffer, y int, top float64) {
	text(b, margin, y+13, `fill="#1a1a1a"`, r.Label)
	x := float64(margin + labelWidth)
	if r.Missing != "" {
		text(b, margin+labelWidth, y+13, `fill="#888888" font-style="italic"`, r.Missing)
		return
	}
	scale := 0.0
	if top > 0 {
		scale = span / top
	}
	fill := "#9db4c8"
	if r.Ours {
		fill = "#d9622b"
	}
	end := x + max(r.Value, 0)*scale
	fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", x, y, end-x, barHeight, fill)
	if r.Low != r.High {
		lo, hi, mid := x+max(r.Low, 0)*scale, x+max(r.High, 0)*scale, y+barHeight/2
		fmt.Fprintf(b, `<path d="M%.1f %dH%.1fM%.1f %dv8M%.1f %dv8" stroke="#1a1a1a" fill="none"/>`+"\n",
			lo, mid, hi, lo, mid-4, hi, mid-4)
		end = max(end, hi)
	}
	text(b, int(math.Round(end))+6, y+13, `fill="#1a1a1a"`, Number(r.Value))
}

// Number formats v for people: three significant digits, no exponent, thousands separated.
func Number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	if math.Abs(v) < 100 {
		digits := 2
		if math.Abs(v) >= 10 {
			digits = 1
		}
		return strconv.FormatFloat(v, 'f', digits, 64)
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if v < 0 {
		s = "-" + s
	}
	return s
}

func text(b *bytes.Buffer, x, y int, attrs, s string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" %s>`, x, y, attrs)
	_ = xml.EscapeText(b, []byte(s)) // a bytes.Buffer never fails
	b.WriteString("</text>\n")
}
