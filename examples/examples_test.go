package examples

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// jobs are the programs that show one common job each. The others in this folder show something else, and have tests of
// their own.
var jobs = []string{"getjson", "postjson", "telemetry", "wsclient", "chat", "lines", "tlsserver", "routes", "events", "outage"}

// mostLines is how long a program for a common job may be.
const mostLines = 40

// Lines are counted without the package clause, imports, and lines that are empty or nothing but a comment. The test of
// outage belongs to what the program shows.
func TestProgramsAreShort(t *testing.T) {
	files := []string{"outage/main_test.go"}
	for _, job := range jobs {
		files = append(files, job+"/main.go")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ := strings.Cut(string(text), "\n)\n")
		n := 0
		for line := range strings.Lines(body) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				n++
			}
		}
		t.Logf("%s: %d lines", file, n)
		if n >= mostLines {
			t.Errorf("%s has %d lines, want less than %d", file, n, mostLines)
		}
	}
}

// built is the folder with the programs, made by the first test that needs it and removed by TestMain.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "millrace-examples")
	if err != nil {
		return "", err
	}
	args := []string{"build", "-o", dir, "./embed"}
	for _, job := range jobs {
		args = append(args, "./"+job)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return dir, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := built(); dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// process is a program that runs in a folder of its own, with its policy.json.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	dir  string
	in   io.WriteCloser
	mu   sync.Mutex
	out  bytes.Buffer
	more *sync.Cond
	done bool
}

var portKey = regexp.MustCompile(`"port": \d+`)

// start runs a program with the port in its policy replaced. files are written into its folder first.
func start(t *testing.T, job, port string, files map[string][]byte, args ...string) *process {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, dir: t.TempDir()}
	p.more = sync.NewCond(&p.mu)
	doc, err := os.ReadFile(filepath.Join(job, "policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("policy.json", portKey.ReplaceAll(doc, []byte(`"port": `+port)))
	for name, b := range files {
		p.write(name, b)
	}
	p.cmd = exec.Command(filepath.Join(bin, job), args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.dir, p, os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(2*time.Minute, func() { p.cmd.Process.Kill() })
	t.Cleanup(func() {
		guard.Stop()
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	return p
}

func (p *process) write(name string, b []byte) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), b, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// Write takes the program's output.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.more.Broadcast()
	return p.out.Write(b)
}

// waitFor waits until the program has printed text n times.
func (p *process) waitFor(text string, n int) {
	p.t.Helper()
	guard := time.AfterFunc(time.Minute, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.done = true
		p.more.Broadcast()
	})
	defer guard.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for strings.Count(p.out.String(), text) < n {
		if p.done {
			p.t.Fatalf("the output has %q less than %d times after a minute:\n%s", text, n, p.out.String())
		}
		p.more.Wait()
	}
}

// wantEnd waits for the end with status 0, and compares all output.
func (p *process) wantEnd(want string) {
	p.t.Helper()
	err := p.cmd.Wait()
	if got := p.out.String(); err != nil || got != want {
		p.t.Errorf("%s: got %q and %v, want %q and status 0", filepath.Base(p.cmd.Path), got, err, want)
	}
}

// interrupt ends the program in order.
func (p *process) interrupt() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%s: after an interrupt: %v, want status 0", filepath.Base(p.cmd.Path), err)
	}
}

// freePort is a port that nothing listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// reachable waits until something listens on the port.
func reachable(t *testing.T, port string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// listen serves HTTP on a port until the returned function is called.
func listen(t *testing.T, port string, f http.HandlerFunc) (stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: f}
	go s.Serve(l)
	stop = sync.OnceFunc(func() { s.Close() })
	t.Cleanup(stop)
	return stop
}

// get returns the status and the body of a GET.
func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	r, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(r.StatusCode, " ", string(b))
}

func skipShort(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds programs")
	}
}

func TestGetJSON(t *testing.T) {
	skipShort(t)
	port, n := freePort(t), 0
	listen(t, port, func(w http.ResponseWriter, r *http.Request) {
		if n++; n < 3 {
			http.Error(w, "not yet", http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, `{"City": "Oslo", "Degrees": 3.5}`)
	})
	start(t, "getjson", port, nil).wantEnd("200: Oslo: 3.5 degrees\n")
	if n != 3 {
		t.Errorf("the server saw %d requests, want 3", n)
	}
}

// A server that answers no request is asked as often as the policy allows.
func TestGetJSONGivesUp(t *testing.T) {
	skipShort(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tries := make(chan int, 1)
	go func() {
		n := 0
		for {
			c, err := l.Accept()
			if err != nil {
				tries <- n
				return
			}
			n++
			c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	doc, err := os.ReadFile("getjson/policy.json")
	if err != nil {
		t.Fatal(err)
	}
	doc = bytes.Replace(doc, []byte("[200, 1000, 5000]"), []byte("[20, 50, 100]"), 1)
	p := start(t, "getjson", port, map[string][]byte{"policy.json": portKey.ReplaceAll(doc, []byte(`"port": `+port))})
	if err := p.cmd.Wait(); err == nil || p.out.Len() > 0 {
		t.Errorf("the program ended with %v and printed %q, want a failure and nothing", err, p.out.String())
	}
	l.Close()
	if n := <-tries; n != 6 {
		t.Errorf("the server saw %d attempts, want 6", n)
	}
}

// The program with a loop of its own gets its three greetings from the one with three routes.
func TestEmbed(t *testing.T) {
	skipShort(t)
	port := freePort(t)
	start(t, "routes", port, nil)
	reachable(t, port)
	start(t, "embed", port, nil, "policy.json").wantEnd("Hello, embed!\nHello, embed!\nHello, embed!\nthree greetings\n")
}

func TestPostJSON(t *testing.T) {
	skipShort(t)
	port := freePort(t)
	listen(t, port, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s %d %s", r.Method, r.ContentLength, b)
	})
	start(t, "postjson", port, nil).wantEnd("201: POST 20 {\"name\": \"millrace\"}\n")
}

func TestTelemetry(t *testing.T) {
	skipShort(t)
	port := freePort(t)
	readings := make(chan string, 1000)
	handler := func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		readings <- string(b)
	}
	stop := listen(t, port, handler)
	p := start(t, "telemetry", port, nil, "-every", "50ms")
	last := 0
	until := func(n int) {
		t.Helper()
		for last < n {
			select {
			case r := <-readings:
				var i int
				if _, err := fmt.Sscanf(r, "reading %d", &i); err != nil || i != last+1 && i != last {
					t.Fatalf("got %q after reading %d, want the next one, or the same again", r, last)
				}
				last = i
			case <-time.After(time.Minute):
				t.Fatalf("no reading in a minute after %d", last)
			}
		}
	}
	until(3)
	stop() // the outage
	time.Sleep(500 * time.Millisecond)
	listen(t, port, handler)
	until(20)
	p.interrupt()
}

func TestChatClientAndEvents(t *testing.T) {
	skipShort(t)
	port := freePort(t)
	chat := start(t, "chat", port, nil)
	reachable(t, port)
	c := start(t, "wsclient", port, nil)
	c.waitFor("{\"subscribe\": \"ticks\"}\n", 1)
	e := start(t, "events", port, nil)
	io.WriteString(e.in, "one\ntwo\n")
	e.in.Close()
	c.waitFor("one\ntwo\n", 1)
	e.wantEnd("")
	if got := get(t, http.DefaultClient, "http://127.0.0.1:"+port); got != "426 this is for WebSockets\n" {
		t.Errorf("a request without upgrade: got %q", got)
	}
	chat.interrupt()
	start(t, "chat", port, nil)
	c.waitFor("{\"subscribe\": \"ticks\"}\n", 2) // on the next connection
	c.interrupt()
}

func TestLines(t *testing.T) {
	skipShort(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for in := bufio.NewScanner(c); in.Scan(); {
			fmt.Fprintln(c, strings.ToUpper(in.Text()))
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	start(t, "lines", port, nil, "hello", "raw world").wantEnd("HELLO\nRAW WORLD\n")
}

// certificate makes a certificate for 127.0.0.1 that signs itself.
func certificate(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})
}

func TestTLSServer(t *testing.T) {
	skipShort(t)
	port := freePort(t)
	cert, key := certificate(t, 1)
	p := start(t, "tlsserver", port, map[string][]byte{"cert.pem": cert, "key.pem": key})
	reachable(t, port)
	serial := func() (n int64) {
		t.Helper()
		c := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true,
			VerifyConnection: func(s tls.ConnectionState) error { n = s.PeerCertificates[0].SerialNumber.Int64(); return nil }}}}
		defer c.CloseIdleConnections()
		if got := get(t, c, "https://127.0.0.1:"+port+"/"); got != "200 hello\n" {
			t.Errorf("got %q, want 200 and hello", got)
		}
		return n
	}
	if n := serial(); n != 1 {
		t.Errorf("the certificate has serial number %d, want 1", n)
	}
	cert, key = certificate(t, 2)
	p.write("cert.pem", cert)
	p.write("key.pem", key)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); serial() != 2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the certificate is the old one 30 s after SIGHUP")
		}
	}
	p.interrupt()
}

func TestRoutes(t *testing.T) {
	skipShort(t)
	port := freePort(t)
	p := start(t, "routes", port, nil)
	reachable(t, port)
	at := "http://127.0.0.1:" + port
	for path, want := range map[string]string{"/hello/you": "200 Hello, you!\n", "/nothing": "404 ", "/notes": "405 "} {
		if got := get(t, http.DefaultClient, at+path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	r, err := http.Post(at+"/notes", "text/plain", strings.NewReader("to note"))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if got := fmt.Sprint(r.StatusCode, " ", string(b)); got != "201 7 bytes noted\n" {
		t.Errorf("POST: got %q, want 201 and 7 bytes noted", got)
	}
	late := make(chan string)
	go func() { late <- get(t, &http.Client{Transport: &http.Transport{}}, at+"/slow") }()
	time.Sleep(300 * time.Millisecond) // the request is under way, its answer a second away
	p.interrupt()
	if got := <-late; got != "200 at last\n" {
		t.Errorf("an answer that was under way at the interrupt: got %q, want it whole", got)
	}
}
