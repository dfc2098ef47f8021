package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// names returns the names of the files in a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// The file of -o has the whole payload, or its earlier content.
func TestFetchReplacesItsFileOnlyOnSuccess(t *testing.T) {
	at := web(t)
	for _, c := range []struct {
		name, url string
		status    int
		file      string // its content afterwards
		part      string // that of the partial file, "" if there is to be none
	}{
		{"success", "http://" + at + "/echo", exitOK, "new", ""},
		{"closed port", "http://127.0.0.1:1/", exitUnreachable, "old", ""},
		{"refused", "http://" + at + "/no", exitRefused, "old", "no such thing\n"},
		{"cut", "http://" + at + "/cut", exitUnreachable, "old", "part"},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "file")
		if err := os.WriteFile(file, []byte("old"), 0o640); err != nil {
			t.Fatal(err)
		}
		r := run("fetch", c.url, "--data", "new", "-o", file, "--timeout", "5s")
		want := "file"
		if c.part != "" {
			want += " file.part"
			r.expect(t, c.status, "the received payload is in "+file+".part")
		} else {
			r.expect(t, c.status)
		}
		if got := names(t, dir); got != want {
			t.Errorf("%s: files: got %q, want %q", c.name, got, want)
		}
		if b, _ := os.ReadFile(file); string(b) != c.file {
			t.Errorf("%s: the file: got %q, want %q", c.name, b, c.file)
		}
		if b, _ := os.ReadFile(file + ".part"); string(b) != c.part {
			t.Errorf("%s: the partial file: got %q, want %q", c.name, b, c.part)
		}
		if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o640 {
			t.Errorf("%s: got mode %v, %v, want 0640 as before", c.name, st.Mode(), err)
		}
	}
}

// During the fetch, and after an interrupt, the file is unchanged.
func TestFetchInterruptLeavesItsFile(t *testing.T) {
	begun := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		begun <- struct{}{}
		<-r.Context().Done()
	}))
	defer s.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	var errs text
	a := &app{in: strings.NewReader(""), out: io.Discard, err: &errs, signals: signals}
	over := make(chan int, 1)
	go func() { over <- a.run([]string{"fetch", s.URL, "-o", file, "-v"}) }()
	<-begun
	poll(t, "the first bytes", func() bool { return strings.Contains(errs.String(), "LWSSSCS_CONNECTED") })
	if b, err := os.ReadFile(file); string(b) != "old" {
		t.Errorf("during the fetch: the file has %q, %v; want its earlier content", b, err)
	}
	signals <- os.Interrupt
	if status := <-over; status != exitLocal {
		t.Errorf("status %d, want %d\n%s", status, exitLocal, &errs)
	}
	if b, err := os.ReadFile(file); string(b) != "old" {
		t.Errorf("after an interrupt: the file has %q, %v; want its earlier content", b, err)
	}
}

// A file that is not regular is written directly, and a link stays a link.
func TestFetchWritesToDevicesAndThroughLinks(t *testing.T) {
	at := web(t)
	dir := t.TempDir()
	run("fetch", "http://"+at+"/echo", "--data", "x", "-o", os.DevNull).expect(t, exitOK)
	if st, err := os.Stat(os.DevNull); err != nil || st.Mode().IsRegular() {
		t.Fatalf("%s is %v, %v; want a device", os.DevNull, st.Mode(), err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() { b, _ := os.ReadFile(fifo); got <- string(b) }()
	run("fetch", "http://"+at+"/echo", "--data", "through a pipe", "-o", fifo).expect(t, exitOK)
	if s := <-got; s != "through a pipe" {
		t.Errorf("read %q from the pipe", s)
	}
	if err := os.Symlink("target", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "target"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run("fetch", "http://"+at+"/echo", "--data", "x", "-o", filepath.Join(dir, "link")).expect(t, exitOK)
	if b, err := os.ReadFile(filepath.Join(dir, "target")); string(b) != "x" {
		t.Errorf("the link's target has %q, %v; want x", b, err)
	}
	if st, err := os.Lstat(filepath.Join(dir, "link")); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v; want a link", st.Mode(), err)
	}
}

// Sending an empty file needs no CPU time.
func TestFetchSendsAnEmptyFile(t *testing.T) {
	empty := write(t, "empty", "")
	s := serve(t, "--policy", write(t, "p.json", wsAndRaw), "--stream", "web", "--echo")
	raw := serve(t, "--policy", write(t, "p.json", wsAndRaw), "--stream", "tcp", "--echo")
	client := write(t, "c.json", `{"s":[{"tcp":{"endpoint":"127.0.0.1","port":`+port(raw.at)+`,"protocol":"raw","opportunistic":true}}]}`)
	began := cpuTime(t)
	run("fetch", "http://"+web(t)+"/echo", "--data", "@"+empty).expect(t, exitOK)
	run("fetch", "ws://"+s.at+"/", "--data", "@"+empty, "--timeout", "5s").expect(t, exitOK)
	run("fetch", "--policy", client, "--stream", "tcp", "--data", "@"+empty, "--send").expect(t, exitOK)
	// The answer to an empty body is empty: until its end the fetch must sleep.
	run("fetch", "--policy", client, "--stream", "tcp", "--data", "@"+empty, "--bytes", "1", "--timeout", "700ms").expect(t, exitUnreachable, "timed out")
	if used := cpuTime(t) - began; used > 500*time.Millisecond {
		t.Errorf("four fetches with empty files: CPU time %v, want almost none", used)
	}
	// A file whose length the system does not report is not empty.
	if _, err := os.Stat("/proc/version"); err == nil {
		run("fetch", "http://"+web(t)+"/echo", "--data", "@/proc/version").expect(t, exitOK, "Linux")
	}
}

const wsAndRaw = `{"s":[
	{"web": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "ws"}},
	{"tcp": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "raw"}}]}`

// cpuTime returns the CPU time of this process.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fetch detects that the reader of standard output is gone, even if there is nothing to write.
func TestFetchNoticesThatItsReaderHasGone(t *testing.T) {
	at := web(t)
	socket := func() (r, w *os.File) {
		p, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		return os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	}
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}
	for _, c := range []struct {
		name string
		make func() (r, w *os.File)
	}{{"pipe", pipe}, {"socket", socket}} {
		r, w := c.make()
		var errs text
		a := &app{in: strings.NewReader(""), out: w, err: &errs, signals: make(chan os.Signal)}
		over := make(chan int, 1)
		go func() { over <- a.run([]string{"fetch", "http://" + at + "/hang", "-v"}) }()
		poll(t, "an attempt", func() bool { return strings.Contains(errs.String(), "LWSSSCS_CONNECTING") })
		r.Close()
		select {
		case status := <-over:
			if status != exitLocal || !strings.Contains(errs.String(), "standard output is closed") {
				t.Errorf("%s: status %d, want %d and the reason\n%s", c.name, status, exitLocal, &errs)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s: fetch continues without a reader\n%s", c.name, &errs)
		}
		w.Close()
	}
}

// full is an output without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// Every subcommand that prints reports a failed write by its status.
func TestOutputThatFailsIsTold(t *testing.T) {
	good := write(t, "policy.json", `{"s":[{"get":{"endpoint":"127.0.0.1","port":1}}]}`)
	dir := t.TempDir()
	for _, args := range [][]string{
		{"version"}, {"help"}, {"help", "fetch"}, {"policy", "schema"}, {"policy", "check", good},
		{"cert", "-o", filepath.Join(dir, "lab"), "localhost"}, {"demo"}, {"fetch", "http://" + web(t) + "/"},
		{"serve", "--policy", write(t, "p.json", servePolicy), "--stream", "web", "--echo"},
	} {
		var errs text
		a := &app{in: strings.NewReader(""), out: full{}, err: &errs, signals: make(chan os.Signal)}
		if status := a.run(args); status != exitLocal || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("millrace %q: status %d, want %d and the reason\n%s", args, status, exitLocal, &errs)
		}
	}
}
