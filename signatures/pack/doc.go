// Package pack makes and opens packs: a catalogue of signatures as one file,
// versioned, reproducible and signed.
//
// # Form
//
//	magic      16 bytes, "GNOMON PACK v1\r\n"
//	manifest   its length (4 bytes, big-endian), then JSON: see [Manifest]
//	parts      one behind the other, in the order and of the sizes that the
//	           manifest says, each with its SHA-256 there
//	signatures their number (1 byte, at most 8), then for each the id of its key
//	           (8 bytes) and an Ed25519 signature (64 bytes, RFC 8032)
//
// What is signed is the magic, the length and the manifest, behind the words
// "gnomon signatures pack\x00"; the parts are bound by their SHA-256. The id of a
// key is the beginning of the SHA-256 of its public half. The parts (rules,
// facts, examples) are those of package signatures, in its compact form.
//
// The same list and options give the same bytes: nothing is read from the clock.
//
// # Trust
//
// [Open] reads what anybody may have written and vouches for nothing but the
// form. [Pack.Verify] holds a pack against pinned keys, the program's version and
// the highest version that was accepted before ([State]); each reason to refuse
// is an error of its own that says what to do. [Accept] does all of it, checks
// every signature as signatures.Load does, and runs the pack's own examples. A
// pack that has expired is taken, and reported as stale: old knowledge is worth
// more than none.
//
// The package imports signatures, sigtest and the standard library. It logs
// nothing, starts no goroutine and reads no clock; files are only touched by
// [ReadFile], [LoadState], [State.Save] and the reading and writing of keys. It
// fetches nothing: how a pack gets to a machine is not its concern.
package pack
