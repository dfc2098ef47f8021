// Package sstest answers one question: does a program's use of streams work, in good times and in bad ones? It is
// a world for tests: two machines with a runtime each, a network and a clock that are simulated (package sim), and
// checks at the end that nothing is left over.
//
//	func TestTelemetrySurvivesAnOutage(t *testing.T) {
//		w := sstest.New(t, clientPolicy, sstest.Options{ServerPolicy: serverPolicy})
//		w.Serve("srv", sstest.Answer(200, "thanks"))
//		p := newTelemetry(w.Client.Runtime) // the program under test
//		w.Run("the first report", func() bool { return p.acknowledged == 1 })
//		w.Outage(10 * time.Minute) // takes milliseconds
//		w.Run("the reports of the outage", func() bool { return p.acknowledged > 60 })
//	}
//
// The policies enter as JSON, the program by Runtime.Create; what its streams do is seen by its own callbacks and by
// those of the streams on the server, which are Scripts: they do what the test says and record what they receive. Every
// name that the program's policy has resolves to the server machine. Nothing touches the machine on which the test runs: no
// socket, no file, no clock. The same seed gives the same run.
//
// When the test ends, a World closes both runtimes and reports as errors: handles, connections, descriptors, timers and
// bytes on the memory account that are left; a stream that received states in an order that libwebsockets' table or
// ours does not allow, or anything after DESTROYING. It prints the seed if the test failed.
//
// Only tests and examples may import the package.
package sstest
