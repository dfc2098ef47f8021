package chart

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"
)

func example() Chart {
	return Chart{Title: "h1 <small> & fast", Note: "a machine", Panels: []Panel{{
		Title: "CPU per request, us",
		Bars: []Bar{
			{Label: "ours", Value: 5, Low: 4, High: 10, Ours: true},
			{Label: "theirs", Value: 10, Low: 10, High: 10},
			{Label: "absent", Missing: "not installed"},
		},
	}}}
}

func TestSVGIsStable(t *testing.T) {
	first := example().SVG()
	for range 20 {
		if again := example().SVG(); !bytes.Equal(first, again) {
			t.Fatalf("drawn twice:\n%s\n%s", first, again)
		}
	}
}

func TestSVGIsWellFormed(t *testing.T) {
	for name, c := range map[string]Chart{"example": example(), "empty": {}, "a panel of nothing": {Panels: []Panel{{Title: "x"}}}} {
		svg := c.SVG()
		d := xml.NewDecoder(bytes.NewReader(svg))
		for {
			_, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v in\n%s", name, err, svg)
			}
		}
	}
}

func TestSVGDrawsToScale(t *testing.T) {
	svg := string(example().SVG())
	for _, want := range []string{
		`<rect x="146.0" y="90" width="254.0" height="16" fill="#d9622b"/>`, // half of the longest whisker
		`<path d="M349.2 98H654.0M349.2 94v8M654.0 94v8"`,
		`<rect x="146.0" y="114" width="508.0" height="16" fill="#9db4c8"/>`,
		`h1 &lt;small&gt; &amp; fast`, `>5.00<`, `>not installed<`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("want %s in\n%s", want, svg)
		}
	}
	if n := strings.Count(svg, "<path"); n != 1 {
		t.Errorf("got %d whiskers, want 1: a single figure has no spread", n)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 1.234: "1.23", 12.34: "12.3", 99.94: "99.9", 123.4: "123", 1377999.6: "1,378,000",
		-1234: "-1,234", 1000: "1,000", math.Inf(1): "-",
	} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v): got %q, want %q", v, got, want)
		}
	}
	if got := Number(math.NaN()); got != "-" {
		t.Errorf("Number(NaN): got %q, want %q", got, "-")
	}
}
