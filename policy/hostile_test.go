package policy

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// repeat returns about size bytes of text made by f, which gets the number of the piece.
func repeat(size int, f func(i int) string) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		b.WriteString(f(i))
	}
	return b.String()
}

// hostile makes documents of about a given size that are meant to cost as much as possible.
var hostile = []struct {
	name string
	doc  func(size int) string
}{
	{"references that fail, among many names", func(n int) string {
		return `{"retry":[{` + repeat(n*9/10, func(i int) string { return fmt.Sprintf(`"%048d":{},`, i) }) + `"last":{}}],"s":[` +
			repeat(n/10, func(i int) string { return fmt.Sprintf(`{"s%d":{"retry":"%047dx"}},`, i, i) }) + `{}]}`
	}},
	{"references that fail, and thousands of them", func(n int) string {
		return `{"retry":[{` + repeat(n/2, func(i int) string { return fmt.Sprintf(`"%010d":{},`, i) }) + `"last":{}}],"s":[` +
			repeat(n/2, func(i int) string { return fmt.Sprintf(`{"%d":{"retry":"%09dx"}},`, i, i) }) + `{}]}`
	}},
	{"names that are nearly the same", func(n int) string {
		return `{"trust_stores":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"%012d":["%012d"]},`, i, i) }) + `{}]}`
	}},
	{"unknown keys", func(n int) string {
		return `{"s":[{"a":{` + repeat(n, func(i int) string { return fmt.Sprintf(`"http_multipart_content_%05d":1,`, i) }) + `"port":1}}]}`
	}},
	{"unknown keys, one to a stream type", func(n int) string {
		return `{"s":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"%d":{"proxy_buflen_rxflow_on_abovf":1}},`, i) }) + `{}]}`
	}},
	{"one key again and again", func(n int) string {
		return `{"s":[{"a":{` + repeat(n, func(int) string { return `"port":1,` }) + `"port":1}}]}`
	}},
	{"keys of servers on a client, behind a million members", func(n int) string {
		return `{"s":[{"a":{` + repeat(n, func(int) string { return `"tls":true,` }) + `"server_cert":"x","server_key":"x","options":[],"mqtt_qos":1}}]}`
	}},
	{"one name for everything", func(n int) string {
		return `{"s":[` + repeat(n, func(int) string { return `{"a":{}},` }) + `{}]}`
	}},
	{"as many stream types as fit", func(n int) string {
		return `{"s":[{` + repeat(n, func(i int) string { return fmt.Sprintf(`"%x":{},`, i) }) + `"last":{}}]}`
	}},
	{"as many retry schemes as fit", func(n int) string {
		return `{"retry":[{` + repeat(n, func(i int) string { return fmt.Sprintf(`"%x":{},`, i) }) + `"last":{}}]}`
	}},
	{"a long name above many problems", func(n int) string {
		return `{"s":[{"` + strings.Repeat("n", n/2) + `":{` + repeat(n/2, func(int) string { return `"port":-1,` }) + `"port":-1}}]}`
	}},
	{"a long name of escapes above many problems", func(n int) string {
		return `{"s":[{"` + strings.Repeat(`\u0001`, n/12) + `":{` + repeat(n/2, func(int) string { return `"port":-1,` }) + `"port":-1}}]}`
	}},
	{"one value many times", func(n int) string {
		return `{"s":[{"a":{"metadata":[{"a":""}],"http_url":"/` + strings.Repeat("${a}", n/4) + `"}}]}`
	}},
	{"one value many times, not declared", func(n int) string {
		return `{"s":[{"a":{"http_url":"/` + strings.Repeat("${a}", n/4) + `"}}]}`
	}},
	{"a value that does not end", func(n int) string {
		return `{"s":[{"a":{"http_url":"/` + strings.Repeat("${", n/2) + `"}}]}`
	}},
	{"values in every stream type", func(n int) string {
		meta := repeat(0, nil)
		for i := range maxMetadata {
			meta += fmt.Sprintf(`{"%d":""},`, i)
		}
		return `{"s":[` + repeat(n, func(i int) string {
			return fmt.Sprintf(`{"%d":{"metadata":[%s{}],"http_url":"%s"}},`, i, meta, strings.Repeat("${63}", maxUses))
		}) + `{}]}`
	}},
	{"a long literal", func(n int) string {
		return `{"s":[{"a":{"endpoint":"` + strings.Repeat("a", n) + `"}}]}`
	}},
	{"key exchanges", func(n int) string {
		return `{"s":[{"a":{"tls":true,"tls_groups":"` + strings.Repeat("P-256:", n/6) + `P-256"}}]}`
	}},
	{"subprotocols", func(n int) string {
		return `{"s":[{"a":{"protocol":"ws","ws_subprotocol":"` + strings.Repeat("a,", n/2) + `a"}}]}`
	}},
	{"elements", func(n int) string { return `{"s":[{"a":{"plugins":[` + strings.Repeat("1,", n/2) + `1]}}]}` }},
	{"elements that are wrong", func(n int) string { return `{"retry":[` + strings.Repeat("1,", n/2) + `1]}` }},
	{"empty arrays", func(n int) string { return `{"s":[` + strings.Repeat("[],", n/3) + `1]}` }},
	{"arrays in arrays", func(n int) string { return strings.Repeat("[", n) }},
	{"objects in objects", func(n int) string { return strings.Repeat(`{"a":`, n/5) }},
	{"metadata", func(n int) string {
		return `{"s":[{"a":{"metadata":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"%d":""},`, i) }) + `{}]}}]}`
	}},
	{"statuses", func(n int) string {
		return `{"s":[{"a":{"http_resp_map":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"%d":1000},`, 200+i%800) }) + `{}]}}]}`
	}},
	{"metadata that is referred to and not there", func(n int) string {
		return `{"s":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"%d":{"aws_region":"x","aws_service":"y"}},`, i) }) + `{}]}`
	}},
	{"rideshares", func(n int) string {
		return `{"s":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"%d":{"rideshare":"%d"}},`, i, i+1) }) + `{}]}`
	}},
	{"trust stores of all certificates", func(n int) string {
		return `{"certs":[{"c":"AAAA"}],"trust_stores":[{"t":[` + strings.Repeat(`"c",`, n/4) + `"c"]}]}`
	}},
	{"many certificates", func(n int) string {
		return `{"certs":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"%d":"AAAA"},`, i) }) + `{}]}`
	}},
	{"one long certificate", func(n int) string { return `{"certs":[{"c":"` + strings.Repeat("AAAA", n/4) + `"}]}` }},
	{"PEM that begins and begins", func(n int) string {
		return `{"certs":[{"c":"` + strings.Repeat(`-----BEGIN CERTIFICATE-----\n`, n/29) + `"}]}`
	}},
	{"PEM that begins and begins, in pieces", func(n int) string {
		return `{"certs":[` + repeat(n-maxCertText, func(i int) string {
			return fmt.Sprintf(`{"%d":"%s"},`, i, strings.Repeat(`-----BEGIN X-----\n`, maxCertText/20))
		}) + `{}]}`
	}},
	{"PEM with headers", func(n int) string {
		return `{"certs":[{"c":"-----BEGIN CERTIFICATE-----\n` + strings.Repeat(`a: b\n`, n/6) + `\nAAAA\n-----END CERTIFICATE-----\n"}]}`
	}},
	{"PEM of empty blocks", func(n int) string {
		return `{"certs":[{"c":"` + strings.Repeat(`-----BEGIN C-----\n-----END C-----\n`, n/36) + `"}]}`
	}},
	{"servers that show one certificate each 32 times", func(n int) string {
		c := testCert()
		names := strings.Repeat(`"c",`, maxServerCerts-1) + `"c"`
		keys := strings.ReplaceAll(names, "c", "k")
		return fmt.Sprintf(`{"certs":[{"c":"%s"},{"k":"%s"}],"s":[`, c.cert, c.key) + repeat(n, func(i int) string {
			return fmt.Sprintf(`{"%d":{"server":true,"tls":true,"server_cert":[%s],"server_key":[%s]}},`, i, names, keys)
		}) + `{}]}`
	}},
	{"servers with all pairs of certificates and keys", func(n int) string {
		c := testCert()
		const kinds = 100
		doc := `{"certs":[`
		for i := range kinds {
			doc += fmt.Sprintf(`{"c%d":"%s"},{"k%d":"%s"},`, i, c.cert, i, c.key)
		}
		return doc + `{}],"s":[` + repeat(n-len(doc), func(i int) string {
			return fmt.Sprintf(`{"%d":{"server":true,"tls":true,"server_cert":["c%d"],"server_key":["k%d"]}},`, i, i%kinds, i/kinds%kinds)
		}) + `{}]}`
	}},
	{"booleans as numbers", func(n int) string {
		return `{"s":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"%d":{"tls":1,"perf":0,"server":0}},`, i) }) + `{}]}`
	}},
	{"escapes", func(n int) string { return `{"release":"` + strings.Repeat(`\"`, n/2) + `"}` }},
	{"backslashes", func(n int) string { return `{"release":"` + strings.Repeat(`\\`, n/2) + `"}` }},
	{"keys of escapes", func(n int) string {
		return `{"s":[{"a":{` + repeat(n, func(int) string { return `"\u0070ort":1,` }) + `"port":1}}]}`
	}},
	{"digits", func(n int) string { return `{"schema-version":` + strings.Repeat("9", n) + `}` }},
	{"blanks", func(n int) string { return strings.Repeat(" ", n) + `{"x":1}` }},
	{"line ends", func(n int) string { return strings.Repeat("\n", n) + `{"x":1}` }},
	{"text that is not JSON at its end", func(n int) string {
		return `{"s":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"%d":{"port":%d}},`, i, i) })
	}},
}

// judged returns the largest size at which a hostile document is not refused already for its number of values.
func judged(doc func(size int) string) int {
	size := MaxDocument - MaxDocument/64
	for size > MaxDocument/64 && !lexical([]byte(doc(size))) {
		size = size * 3 / 4
	}
	return size
}

// cost is what a document costs: steps of the checker, bytes of memory, time, and bytes of error text.
type cost struct {
	size, work, memory, text int
	took                     time.Duration
}

func measure(doc string) (m cost) {
	var before, after runtime.MemStats
	b := []byte(doc)
	c := newChecker()
	c.advise = true
	runtime.ReadMemStats(&before)
	begin := time.Now()
	_, err := c.parse(b)
	if err == nil {
		c.located(b, c.warnings)
	}
	m.took = time.Since(begin)
	runtime.ReadMemStats(&after)
	var e *Errors
	if errors.As(err, &e) {
		m.text = len(e.Error())
	}
	m.size, m.work, m.memory = len(doc), c.work+nearBudget-c.near, int(after.TotalAlloc-before.TotalAlloc)
	return m
}

// TestHostileDocuments: whatever a document says, reading it costs a bounded multiple of its size, in steps and in
// memory, and so does the text of its problems. Nothing here depends on how fast the machine is.
func TestHostileDocuments(t *testing.T) {
	for _, h := range hostile {
		for _, size := range slices.Compact([]int{MaxDocument / 16, judged(h.doc), MaxDocument - MaxDocument/64}) {
			m := measure(h.doc(size))
			if m.size > MaxDocument {
				t.Fatalf("%s: %d bytes are more than a document may have", h.name, m.size)
			}
			if most := 2*m.size + nearBudget + 4*maxPairing; m.work > most {
				t.Errorf("%s, %d bytes: %d steps, want at most %d", h.name, m.size, m.work, most)
			}
			// fastjson takes half a kilobyte for a value, which may be two bytes of text; MaxValues bounds that.
			if most := min(300*m.size, 100<<20); m.memory > most {
				t.Errorf("%s, %d bytes: %d bytes allocated, want at most %d", h.name, m.size, m.memory, most)
			}
			if m.text > MaxDocument {
				t.Errorf("%s, %d bytes: %d bytes of error text", h.name, m.size, m.text)
			}
		}
	}
}

// TestHostileDocumentsGrowEvenly: a document of four times the size takes about four times as long, also in
// what the checker does not count itself: the JSON parser, PEM, certificates. Squares would take 16 times.
func TestHostileDocumentsGrowEvenly(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	const (
		attempts = 8                     // the machine may be busy; one quiet moment is enough
		factor   = 10                    // between 4 and 16
		quick    = 20 * time.Millisecond // what takes no longer is no danger, and too short to compare
	)
	for _, h := range hostile {
		size := judged(h.doc)
		small, large := h.doc(size/4), h.doc(size)
		var a, b time.Duration
		for i := range attempts {
			m, n := measure(small).took, measure(large).took
			if i == 0 || m < a {
				a = m
			}
			if i == 0 || n < b {
				b = n
			}
			if b <= quick || b <= factor*a {
				break
			}
		}
		if b > quick && b > factor*a {
			t.Errorf("%s: %v for a quarter, %v for the whole: want at most %d times as long", h.name, a, b, factor)
		}
	}
}
