// Package survey counts what a catalogue of signatures holds, and lists what in
// it should be read again: old facts, single sources, pages cited unread.
//
// It imports package signatures alone. It reads no file, knows no flag and
// judges nothing: whether a signature is right is for sigtest to say.
package survey
