package ss_test

import "testing"

type wsPacked struct{}

func newWSPacked(t testing.TB, terms string, server bool) *wsPacked { return nil }

func (*wsPacked) inflate(s string) (string, error) { return s, nil }
