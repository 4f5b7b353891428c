//go:build (linux || darwin) && (amd64 || arm64)

package engine

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// supported says whether this platform has an engine library.
const supported = true

// queryCommandLine calls chdb_query_cmdline(argc, argv), which behaves as
// `clickhouse local` and returns when its last query ended. The message is
// what the library reports about it, "" for nothing.
// Source: https://github.com/chdb-io/chdb/blob/main/programs/local/chdb.h
func queryCommandLine(library string, args []string) (string, error) {
	handle, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return "", fmt.Errorf("opening the engine library (fetch it with deploy/engine/fetch): %w", err)
	}
	query, err := purego.Dlsym(handle, "chdb_query_cmdline")
	if err != nil {
		return "", fmt.Errorf("the engine library is not a chDB of version %s: %w", Version, err)
	}
	problem, err := purego.Dlsym(handle, "chdb_result_error")
	if err != nil {
		return "", fmt.Errorf("the engine library is not a chDB of version %s: %w", Version, err)
	}
	var run func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	var text func(result unsafe.Pointer) string
	purego.RegisterFunc(&run, query)
	purego.RegisterFunc(&text, problem)

	argv := make([]*byte, len(args)+1) // ends with nil, as C has it
	for i, a := range args {
		b := append([]byte(a), 0)
		argv[i] = &b[0]
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	for _, p := range argv[:len(args)] {
		pin.Pin(p)
	}
	result := run(int32(len(args)), unsafe.Pointer(&argv[0]))
	if result == nil {
		return "the engine returned no result", nil
	}
	return text(result), nil
}
