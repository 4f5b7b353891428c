package engine

import "os"

func takeLock(string) (*os.File, error) { return nil, ErrUnsupported }
