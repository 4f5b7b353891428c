// Package sigtest proves a catalogue by its own examples. Run checks that
//
//   - every positive example matches its signature, and no other one but those
//     listed in tests.shares,
//   - no negative example matches its signature,
//   - every strong rule can fire: it shows among the evidence of some positive
//     example, so a rule that another one hides completely is found,
//   - look-alikes made from every host rule (a prefix glued on, a suffix
//     appended, a label put in between) do not match that rule,
//   - over three thousand names of things that are no AI, and a list of ordinary
//     programs and files, match nothing.
//
// A signature that cannot fire, or that fires on a stranger, so fails the build:
// the package's own test runs over the embedded catalogue. Packs are checked with
// it before they are signed. Disabled signatures are held against their own
// examples alone, as if they were enabled.
//
// The package imports signatures and the standard library. What a rule says by
// itself (is it too wide, is a field missing) is checked by signatures.Load
// before; sigtest reads no files.
package sigtest
