package sstest_test

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

const devicePolicy = `{"retry":[{"patient":{"backoff":[1000,5000,30000],"conceal":65535}}],
	"s":[{"report":{"endpoint":"telemetry.example","port":80,"protocol":"h1","http_method":"POST","http_url":"reports","retry":"patient"}}]}`

const telemetryPolicy = `{"s":[{"srv":{"server":true,"port":80,"protocol":"h1"}}]}`

// telemetry is the program under test: it reports a reading every ten seconds, and keeps those of an outage.
type telemetry struct {
	ss.Base
	unsent, acknowledged int
}

func (p *telemetry) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	switch s {
	case ss.Creating:
		h.Every(10*time.Second, func() { p.unsent++; h.RequestTxLen(1) })
	case ss.QOSAckRemote:
		p.unsent--
		p.acknowledged++
	case ss.Disconnected:
		if p.unsent > 0 {
			h.RequestTxLen(1)
		}
	}
	return ss.OK
}

func (p *telemetry) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, "r"), ss.SOM | ss.EOM, ss.OK
}

// A program's reports survive an outage of ten minutes. In a test, t takes the place of the Printer, and End is not
// needed.
func Example() {
	w := sstest.New(new(sstest.Printer), devicePolicy, sstest.Options{ServerPolicy: telemetryPolicy})
	defer w.End()
	w.Serve("srv", sstest.Answer(200, "thanks"))
	p := new(telemetry)
	if _, err := w.Client.Runtime.Create(ss.Info{StreamType: "report", New: func(*ss.Handle) ss.Stream { return p }}); err != nil {
		fmt.Println(err)
		return
	}
	w.Run("the first report", func() bool { return p.acknowledged == 1 })
	w.Outage(10 * time.Minute)
	w.Run("the reports of the outage", func() bool { return p.unsent == 0 })
	fmt.Println("every report arrived:", p.acknowledged >= 60)
	// Output: every report arrived: true
}
