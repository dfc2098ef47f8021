package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/millrace/millrace/bench/internal/chart"
	"github.com/millrace/millrace/bench/internal/stat"
)

// print writes the report as text: medians, and ratios as the median with its extremes.
func (r *report) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.heading())
	for _, t := range r.tables {
		fmt.Fprintf(&b, "\n%s\n", t.Title)
		t.print(&b)
	}
	b.WriteByte('\n')
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "not measured: %s: %s\n", m.Server, m.Why)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(&b, n)
	}
	for _, g := range r.goals {
		got, word := r.outcome(g)
		fmt.Fprintf(&b, "goal: %s: %s", g, word)
		if word != "not measured" {
			fmt.Fprintf(&b, " (%s)", chart.Number(got))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// busy is the number of cores used by other processes from which a run is marked: a tenth of a core shows in every figure.
const busy = 0.1

func (r *report) heading() string {
	s := fmt.Sprintf("%s: %s, Linux %s, %s, generator on core %d, servers on core %d, %d rounds",
		r.Suite, r.Machine.CPU, r.Machine.Kernel, r.Machine.Versions["go"], r.Machine.Cores[0], r.Machine.Cores[1], r.Rounds)
	if r.Machine.Load >= busy {
		s += fmt.Sprintf(", BUSY: others used %.1f cores before the run", r.Machine.Load)
	}
	if r.Quick {
		s += ", QUICK: not to be published"
	}
	return s
}

func (t *table) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "server\t")
	for _, m := range t.Measures {
		fmt.Fprintf(tw, "%s\t", m.Head)
	}
	for _, q := range t.Ratios {
		fmt.Fprintf(tw, "%s\t", q.Head)
	}
	fmt.Fprintln(tw)
	for _, server := range t.servers() {
		fmt.Fprintf(tw, "%s\t", server)
		for _, m := range t.Measures {
			fmt.Fprintf(tw, "%s\t", median(t.summary(server, m.Key)))
		}
		for _, q := range t.Ratios {
			fmt.Fprintf(tw, "%s\t", spread(t.ratio(server, q.Key, q.To)))
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
}

func median(s stat.Summary) string {
	if s.N == 0 {
		return "-"
	}
	return chart.Number(s.Median)
}

// spread formats "median [min..max]".
func spread(s stat.Summary) string {
	if s.N == 0 {
		return "-"
	}
	return fmt.Sprintf("%s [%s..%s]", chart.Number(s.Median), chart.Number(s.Min), chart.Number(s.Max))
}

func (g goal) String() string {
	of := g.Server + " " + g.Key
	if g.To != "" {
		of += " / " + g.To
	}
	if g.AtMost > 0 {
		return fmt.Sprintf("%s: %s at most %s", g.Table, of, chart.Number(g.AtMost))
	}
	return fmt.Sprintf("%s: %s at least %s", g.Table, of, chart.Number(g.AtLeast))
}

// The JSON form: the report's own fields, each table's summaries, and their samples.
type (
	results struct {
		*report
		Tables []tableResult `json:"tables"`
		Goals  []goalResult  `json:"goals,omitempty"`
	}
	tableResult struct {
		Name    string         `json:"name"`
		Title   string         `json:"title"`
		Servers []serverResult `json:"servers"`
		Samples []sample       `json:"samples"`
	}
	serverResult struct {
		Server   string                  `json:"server"`
		Measures map[string]stat.Summary `json:"measures"`
		Ratios   []ratioResult           `json:"ratios,omitempty"`
	}
	ratioResult struct {
		Of string `json:"of"`
		To string `json:"to"`
		stat.Summary
	}
	goalResult struct {
		Goal   string   `json:"goal"`
		Result string   `json:"result"`
		Median *float64 `json:"median,omitempty"`
	}
)

// results derives the JSON form. It omits figures that were not measured; they are never zero.
func (r *report) results() results {
	out := results{report: r}
	for _, t := range r.tables {
		tr := tableResult{Name: t.Name, Title: t.Title, Samples: t.Samples}
		for _, server := range t.servers() {
			sr := serverResult{Server: server, Measures: map[string]stat.Summary{}}
			for _, m := range t.Measures {
				if s := t.summary(server, m.Key); s.N > 0 {
					sr.Measures[m.Key] = s
				}
			}
			for _, q := range t.Ratios {
				if s := t.ratio(server, q.Key, q.To); s.N > 0 {
					sr.Ratios = append(sr.Ratios, ratioResult{q.Key, q.To, s})
				}
			}
			tr.Servers = append(tr.Servers, sr)
		}
		out.Tables = append(out.Tables, tr)
	}
	for _, g := range r.goals {
		gr := goalResult{Goal: g.String()}
		var got float64
		if got, gr.Result = r.outcome(g); gr.Result != "not measured" {
			gr.Median = &got
		}
		out.Goals = append(out.Goals, gr)
	}
	return out
}

// chart draws the measures that are marked for it, one panel each, with the extremes as whiskers.
func (r *report) chart() chart.Chart {
	c := chart.Chart{Title: "Millrace beside others: " + r.Suite, Note: r.heading() + ", " + r.Machine.Date}
	for _, t := range r.tables {
		for _, m := range t.Measures {
			if !m.Chart {
				continue
			}
			p := chart.Panel{Title: t.Title + ": " + m.Head}
			for _, server := range t.servers() {
				s := t.summary(server, m.Key)
				if s.N == 0 {
					continue
				}
				p.Bars = append(p.Bars, chart.Bar{Label: server, Value: s.Median, Low: s.Min, High: s.Max,
					Ours: strings.HasPrefix(server, nameMillrace)})
			}
			for _, m := range r.Missing {
				p.Bars = append(p.Bars, chart.Bar{Label: m.Server, Missing: m.Why})
			}
			c.Panels = append(c.Panels, p)
		}
	}
	return c
}
