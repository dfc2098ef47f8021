package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/tls"
)

// readRoots reads the certificates of a PEM file, as DER. It ignores other blocks.
func readRoots(file string) (ders [][]byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := readAtMost(f, policy.MaxDocument+1)
	if err != nil {
		return nil, err
	}
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			break
		}
		if b.Type == "CERTIFICATE" {
			ders = append(ders, b.Bytes)
		}
	}
	if ders == nil {
		return nil, fmt.Errorf("%s has no PEM certificate", file)
	}
	return ders, nil
}

// trusting returns the policy document with a trust store of ders for all its stream types, which have none.
func trusting(doc []byte, ders [][]byte) ([]byte, error) {
	certs, names := make([]map[string][]byte, len(ders)), make([]string, len(ders))
	for i, der := range ders {
		names[i] = fmt.Sprintf("ca_%d", i+1)
		certs[i] = map[string][]byte{names[i]: der}
	}
	const store = "--ca"
	top, err := json.Marshal(map[string]any{
		"certs":        certs,
		"trust_stores": []any{map[string]any{"name": store, "stack": names}},
	})
	if err != nil {
		return nil, err
	}
	return extended(doc, top, map[string]any{"tls": true, "tls_trust_store": store})
}

// extended returns the policy document with the members of the object top before its own, since a policy defines
// names before it uses them, and with the keys of each added to all its stream types.
func extended(doc, top []byte, each map[string]any) ([]byte, error) {
	var p map[string]any
	if err := json.Unmarshal(doc, &p); err != nil {
		return nil, fmt.Errorf("extend a policy: %w", err)
	}
	list, _ := p["s"].([]any)
	for _, s := range list {
		types, _ := s.(map[string]any)
		for _, t := range types {
			keys, ok := t.(map[string]any)
			if !ok {
				return nil, errors.New("extend a policy: a stream type is not an object")
			}
			for k, v := range each {
				keys[k] = v
			}
		}
	}
	doc, err := json.Marshal(p) // sorted by name: "retry" is before "s"
	if err != nil {
		return nil, err
	}
	front, ok := bytes.CutSuffix(bytes.TrimSpace(top), []byte("}"))
	if !ok {
		return nil, errors.New("extend a policy: the added text is not an object")
	}
	if bytes.IndexByte(front, '"') < 0 {
		return doc, nil // it is empty
	}
	return slices.Concat(front, []byte(","), doc[1:]), nil
}

// tlsAttrs returns the parameters of a TLS session for a line of the log.
func tlsAttrs(t *tls.State) []slog.Attr {
	var chain []string
	for _, c := range t.Chain {
		chain = append(chain, roles.Plain(c.Subject.String()))
	}
	attrs := []slog.Attr{
		slog.String("version", stdtls.VersionName(t.Version)),
		slog.String("suite", stdtls.CipherSuiteName(t.Suite)),
	}
	if t.Group != 0 { // sessions of TLS 1.2 resume without a key exchange
		attrs = append(attrs, slog.String("group", t.Group.String()))
	}
	return append(attrs,
		slog.String("alpn", roles.Plain(t.ALPN)),
		slog.Bool("resumed", t.Resumed),
		slog.String("chain", strings.Join(chain, "; ")),
	)
}
