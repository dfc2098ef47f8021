package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The server greets the client and the embedded client, over a port that the system picked.
func TestServerGreetsClients(t *testing.T) {
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "../server", ".", "../embed").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	server := exec.Command(filepath.Join(bin, "server"), edited(t, "server", `"port": 7681`, `"port": 0`))
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Signal(os.Interrupt)
		if err := server.Wait(); err != nil {
			t.Errorf("the server ended with %v after an interrupt, want status 0", err)
		}
	}()
	guard := time.AfterFunc(30*time.Second, func() { server.Process.Kill() })
	defer guard.Stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	at, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on 127.0.0.1:")
	if err != nil || !ok {
		t.Fatalf("the server's first line: %q, %v; want \"listening on 127.0.0.1:PORT\"", line, err)
	}
	for _, c := range []struct{ program, want string }{
		{"client", "Hello, millrace!\n"},
		{"embed", "Hello, !\nHello, !\nHello, !\nthree greetings\n"},
	} {
		got, err := exec.Command(filepath.Join(bin, c.program),
			edited(t, c.program, `"port": 7681`, fmt.Sprintf(`"port": %s`, at))).Output()
		if err != nil || string(got) != c.want {
			t.Errorf("%s printed %q, %v; want %q and status 0", c.program, got, err, c.want)
		}
	}
}

// Nobody listens: the client tries as often as its policy says, and fails.
func TestClientGivesUp(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "client")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	doc := edited(t, "client", `"port": 7681`, `"port": 1`)
	out, err := exec.Command(bin, doc).CombinedOutput()
	if tries := strings.Count(string(out), "connection refused"); err == nil || tries != 6 {
		t.Errorf("the client ended with %v after %d refusals, want a failure after 6:\n%s", err, tries, out)
	}
}

// edited returns the name of a copy of a program's policy in which old has become new.
func edited(t *testing.T, program, old, new string) string {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", program, "policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), old) {
		t.Fatalf("%s/policy.json has no %s to replace:\n%s", program, old, doc)
	}
	if program == "client" {
		doc = []byte(strings.Replace(string(doc), "[200, 500, 1000]", "[20, 50, 100]", 1))
	}
	name := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(name, []byte(strings.Replace(string(doc), old, new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
