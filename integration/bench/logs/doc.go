// Command logs measures the agent on logs: for each format it generates a day's
// worth of lines, lets the built agent read them with one core (GOMAXPROCS=1) as
// `run` does, from the file to the finding that is sent, and prints lines a
// second of processor time, names found and memory.
//
//	go run ./integration/bench/logs --lines 2000000
//
// Of the lines, 3 in 100 name an AI service; the bench knows which, and fails
// where the findings that arrive do not count each of them once.
//
// It imports nothing of the agent: it runs the built binary and reads what that
// sends with the OpenTelemetry project's own messages.
package main
