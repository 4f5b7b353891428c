package engine

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// answer is a connection that answers with fixed bytes.
type answer struct {
	net.Conn
	sent bytes.Buffer
}

func (a *answer) Write(b []byte) (int, error) { return a.sent.Write(b) }
func (a *answer) SetDeadline(time.Time) error { return nil }
func (a *answer) Close() error                { return nil }
func talk(bytes []byte) (*session, *answer) {
	a := &answer{}
	return &session{conn: a, r: reader(bytes)}, a
}
func reader(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }
func exceptionBytes(code uint32, text string) []byte {
	b := []byte{serverException}
	b = binary.LittleEndian.AppendUint32(b, code)
	b = appendString(b, "DB::Exception")
	return appendString(b, text)
}

func TestStartReadsTheAnswer(t *testing.T) {
	f := func(name string, bytes []byte, code int32, failed bool) {
		t.Helper()
		s, _ := talk(bytes)
		err := s.start("SELECT 1")
		var refusal *ServerError
		if errors.As(err, &refusal) != (code != 0) || (err != nil) != (failed || code != 0) {
			t.Errorf("%s: %v", name, err)
		}
		if refusal != nil && refusal.Code != code {
			t.Errorf("%s: code %d, want %d", name, refusal.Code, code)
		}
	}
	f("data", []byte{1}, 0, false)
	f("end of stream", []byte{5}, 0, false)
	f("progress, then data", []byte{serverProgress, 1, 2, 3, serverProgress, 0, 0, 0, 1}, 0, false)
	f("refused", exceptionBytes(497, "no"), 497, false)
	f("progress, then refused", append([]byte{serverProgress, 1, 2, 3}, exceptionBytes(201, "quota")...), 201, false)
	f("gone", nil, 0, true)
	f("gone within progress", []byte{serverProgress, 1}, 0, true)
	f("gone within an exception", exceptionBytes(201, "quota")[:12], 0, true)
}

func TestHelloAndPing(t *testing.T) {
	hello := appendString([]byte{serverHello}, "ClickHouse")
	hello = append(hello, 26, 7, 1)
	s, a := talk(append(hello, serverPong))
	if err := s.hello("user", "password", time.Second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(a.sent.Bytes(), []byte("\x04user\x08password")) {
		t.Errorf("sent %q", a.sent.Bytes())
	}
	if err := s.ping(); err != nil {
		t.Fatal(err)
	}
	s, _ = talk([]byte{serverPong})
	if err := s.hello("user", "password", time.Second); err == nil {
		t.Error("a pong is taken for a hello")
	}
	s, _ = talk(exceptionBytes(516, "no such user"))
	var refusal *ServerError
	if err := s.hello("user", "password", time.Second); !errors.As(err, &refusal) || refusal.Code != 516 {
		t.Errorf("refused login: %v", err)
	}
}

func TestStringLimit(t *testing.T) {
	long := binary.AppendUvarint(nil, maxProtocolString+1)
	if _, err := readString(reader(long)); !errors.Is(err, errProtocolString) {
		t.Errorf("%v, want the limit", err)
	}
	text := strings.Repeat("x", maxProtocolString)
	if got, err := readString(reader(appendString(nil, text))); err != nil || got != text {
		t.Errorf("a string of the limit's length: %d bytes, %v", len(got), err)
	}
}

// FuzzAnswer: whatever the engine answers, a query is taken, refused or
// failed, and what was read is what was sent.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte{1})
	f.Add([]byte{serverProgress, 1, 2, 3, 5})
	f.Add(exceptionBytes(497, "default: Not enough privileges"))
	f.Add(exceptionBytes(0, ""))
	f.Add(binary.AppendUvarint([]byte{serverException, 0, 0, 0, 0}, 1<<40))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _ := talk(b)
		err := s.start("SELECT 1")
		if err == nil && len(b) == 0 {
			t.Fatal("no answer is taken for one")
		}
		var refusal *ServerError
		if errors.As(err, &refusal) {
			if len(refusal.Message) > len(b) {
				t.Fatalf("a message of %d bytes out of %d", len(refusal.Message), len(b))
			}
			again, _ := talk(exceptionBytes(uint32(refusal.Code), refusal.Message))
			var second *ServerError
			if !errors.As(again.start(""), &second) || *second != *refusal {
				t.Fatalf("%+v written and read again is %+v", refusal, second)
			}
		}
		if text, err := readString(reader(b)); err == nil {
			n, size := binary.Uvarint(b)
			if uint64(len(text)) != n || text != string(b[size:size+len(text)]) {
				t.Fatalf("read %q out of %q", text, b)
			}
		}
	})
}
