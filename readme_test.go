package millrace

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fence finds the fenced blocks of a page: language and content.
var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// blocks returns the blocks of a page in one language, in order.
func blocks(t *testing.T, page, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fence.FindAllSubmatch(text, -1) {
		if string(m[1]) == language {
			blocks = append(blocks, string(m[2]))
		}
	}
	return blocks
}

// codeLines counts the lines of a program without the package clause, the imports and empty lines.
func codeLines(program string) (n int) {
	_, body, _ := strings.Cut(program, "\n)\n")
	for line := range strings.Lines(body) {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	return n
}

// TestReadmePrograms builds the page's server and client, runs them against each other, and compares
// the output of the client with the page.
func TestReadmePrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds two programs")
	}
	const page = "README.md"
	programs, policies, output := blocks(t, page, "go"), blocks(t, page, "json"), blocks(t, page, "text")
	if len(programs) != 2 || len(policies) != 1 || len(output) != 1 {
		t.Fatalf("README.md has %d Go programs, %d policies and %d outputs; want 2, 1 and 1", len(programs), len(policies), len(output))
	}
	dir := t.TempDir()
	var bins []string
	for i, name := range []string{"server", "client"} {
		if n := codeLines(programs[i]); n >= 20 {
			t.Errorf("the %s has %d lines, imports and empty ones not counted; want less than 20", name, n)
		}
		bins = append(bins, build(t, filepath.Join(dir, name), "the "+name+" of README.md", programs[i]))
	}

	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	doc := strings.ReplaceAll(policies[0], "7681", port)
	if err := os.WriteFile(filepath.Join(dir, "hello.json"), []byte(doc), 0o644); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(bins[0])
	server.Dir = dir
	var log bytes.Buffer
	server.Stderr = &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Kill()
		server.Wait()
	}()
	if err := reachable(address, 10*time.Second); err != nil {
		t.Fatalf("the server of README.md does not listen: %v\n%s", err, log.Bytes())
	}
	got, err := command(dir, bins[1])
	if err != nil {
		t.Fatalf("the client of README.md: %v\n%s", err, got)
	}
	if string(got) != output[0] {
		t.Errorf("the client of README.md printed\n%s\nwant\n%s", got, output[0])
	}
}

// TestPagePrograms builds the programs of the other pages.
func TestPagePrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds programs")
	}
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		for _, program := range blocks(t, page, "go") {
			build(t, t.TempDir(), "a program of "+page, program)
		}
	}
}

// build vets and builds a program in dir, against the packages of this module, and returns the binary.
func build(t *testing.T, dir, what, program string) (bin string) {
	t.Helper()
	src, bin := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(src, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"vet", src}, {"build", "-o", bin, src}} {
		if _, err := command(".", "go", args...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	return bin
}

// mostReadme is the largest number of lines of README.md, which is short and links to the other pages.
const mostReadme = 120

func TestReadmeLength(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(page, []byte("\n")); n > mostReadme {
		t.Errorf("README.md has %d lines, more than %d: move details to the pages, and programs to the examples", n, mostReadme)
	}
}

// TestReadmeCommands checks that .ci/run calls the two commands of the page.
func TestReadmeCommands(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	ci, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"go run ./cmd/millrace demo", "go test ./..."} {
		if !bytes.Contains(page, []byte("\n    "+c+"\n")) {
			t.Errorf("README.md does not show the command %q on a line of its own", c)
		}
		if !bytes.Contains(ci, []byte(c)) {
			t.Errorf(".ci/run does not call %q, which README.md tells people to call", c)
		}
	}
}

// freeAddress returns a loopback address without a listener.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// reachable waits until address accepts connections.
func reachable(address string, patience time.Duration) error {
	end := time.Now().Add(patience)
	for {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("not within %v: %w", patience, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
