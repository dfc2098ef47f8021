// Getjson asks for a JSON document, and tries again when that fails, as often and as patiently as policy.json says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

type weather struct {
	City    string
	Degrees float64
}

// received is called for each response, and when the policy allows no further attempt.
func received(h *ss.Handle, body []byte, err error) ss.Ret {
	var w weather
	switch {
	case errors.Is(err, ss.ErrCutOff):
		return ss.OK // the policy repeats it
	case err == nil:
		err = json.Unmarshal(body, &w)
	}
	must(w, err)
	fmt.Printf("%d: %s: %v degrees\n", h.HTTPStatus(), w.City, w.Degrees)
	return ss.DestroyMe // the end of the last stream is the end of the program
}

func main() {
	doc := must(os.ReadFile("policy.json"))
	must(0, ss.Run(context.Background(), ss.Config{Policy: must(policy.Parse(doc))}, ss.Info{
		StreamType: "weather",
		New:        func(*ss.Handle) ss.Stream { return &ss.Collector{Limit: 64 << 10, Done: received} },
	}))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
