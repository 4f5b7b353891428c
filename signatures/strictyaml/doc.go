// Package strictyaml decodes one YAML document into Go values and accepts
// nothing it does not understand. The signature catalogue, the configuration of
// both daemons and the inventory are read with it.
//
// An unknown key, a key given twice, a value of the wrong type, a second
// document, a custom tag, a merge key ("<<"), an alias that contains itself and
// anything beyond the limits is a [Problem]. All problems of a document are
// collected and returned together as [Errors], each with file, line, column and
// the full path of its key, as in
//
//	catalogue/openai.yaml:14:9: signatures[0].hosts[1].mach: unknown key; did you mean "match"?
//
// Checks that come after decoding report in the same form through [Positions].
//
// Targets: structs (with the yaml tags name, omitempty, inline and "-"; without
// a tag a field is named by its lower-cased name), pointers, slices, arrays,
// maps, strings, booleans, integers, floats, any, [time.Duration] ("1h30m",
// also days: "30d"), [time.Time] (a date or RFC 3339) and every
// [encoding.TextUnmarshaler]. There are no coercions: text must be written as
// text ("8.0", quoted), a list as a list, a duration with its unit, and only
// true and false are booleans. A key without a value is accepted where the
// target can be empty (struct, pointer, slice, map) and leaves a struct as it
// was, so that defaults set beforehand stay.
//
// The package imports the standard library and go.yaml.in/yaml/v3. It reads no
// files, expands no variables, runs no custom unmarshalling besides
// encoding.TextUnmarshaler and writes no YAML.
package strictyaml
