package interop

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
)

// chromium loads url in a browser that trusts c's key, and returns the document after it has loaded. Its TLS client is BoringSSL.
func chromium(t *testing.T, c *credential, url string, args ...string) (dom string) {
	t.Helper()
	path := need(t, "chromium", "chromium")
	spki := sha256.Sum256(c.cert.RawSubjectPublicKeyInfo)
	profile, err := os.MkdirTemp("", "millrace-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(profile)
	args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--user-data-dir=" + profile,
		"--ignore-certificate-errors-spki-list=" + base64.StdEncoding.EncodeToString(spki[:]), "--dump-dom"}, args...)
	r := finish(t, nil, path, append(args, url)...)
	if r.status != 0 {
		t.Fatalf("chromium: status %d\n%s", r.status, r.err)
	}
	return r.out
}

// page fetches itself several times: in sequence with bodies in both directions, then as four images at once (it is not an
// image, so they fail to decode). Then it writes the results into the document. The document counts as loaded only after
// all of them, so the browser needs no wait option. The comment makes the page long.
const page = `<!DOCTYPE html><title>page</title><body><script>
let errors = 0;
const got = [];
for (const [method, body] of [["GET", null], ["GET", null], ["POST", "x".repeat(200000)], ["POST", "x"]]) {
	const r = new XMLHttpRequest();
	r.open(method, "/again", false);
	r.send(body);
	got.push(r.status + " " + r.responseText.length);
}
for (let i = 0; i < 4; i++) {
	const image = document.createElement("img");
	image.onerror = () => { errors++; };
	image.src = "/image" + i;
	document.body.append(image);
}
window.onload = () => { document.body.textContent = got.join(", ") + ", images " + errors; };
</script><!--%s--></body>
`

func TestChromiumTLS(t *testing.T) {
	need(t, "chromium", "chromium")
	ca := authority(t, "lab")
	leaf := ca.issue(t, "leaf", ecKey(t), nil)
	text := fmt.Sprintf(page, strings.Repeat("0123456789abcdef", 16<<10))
	name := file(t, "page.html", text)
	doc := securely(t, ca, leaf, secureServers+`,
		{"two": {SERVER, "protocol": "h2", "metadata": [{"mime": "content-type:"}]}}`)
	for _, c := range []struct{ stream, version, arg, alpn string }{
		{"web", "TLS 1.3", "--ssl-version-min=tls1.3", "http/1.1"},
		{"web", "TLS 1.2", "--ssl-version-max=tls1.2", "http/1.1"},
		{"two", "TLS 1.3", "--ssl-version-min=tls1.3", "h2"},
	} {
		p, at := serve(t, doc, c.stream, "--file", name, "--type", "text/html", "-v")
		dom := chromium(t, leaf, "https://"+at+"/", c.arg)
		want := strings.Repeat(fmt.Sprintf("200 %d, ", len(text)), 4) + "images 4"
		if !strings.Contains(dom, "<body>"+want+"</body>") {
			t.Errorf("%s over %s: got document %.300q, want %q in it\n%s", c.alpn, c.version, dom, want, &p.err)
		}
		if log := p.err.String(); !strings.Contains(log, fmt.Sprintf("version=%q", c.version)) || !strings.Contains(log, "alpn="+c.alpn) {
			t.Errorf("the server's log has no line with %s over %s:\n%s", c.alpn, c.version, log)
		}
	}
	// Without the option that trusts our key the browser refuses the connection. Its error page is long and has many words.
	const secret = "vXq7-told-to-friends-only"
	_, at := serve(t, doc, "web", "--reply", secret, "--type", "text/html")
	if dom := chromium(t, ca, "https://"+at+"/"); strings.Contains(dom, secret) {
		t.Errorf("a browser without our CA got the page: %.300q", dom)
	}
}
