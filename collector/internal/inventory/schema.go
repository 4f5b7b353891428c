package inventory

import _ "embed"

//go:embed inventory.schema.json
var inventorySchema []byte

//go:embed directory.schema.json
var directorySchema []byte

// JSONSchema returns the JSON Schema (2020-12) of inventory/v1, for editors and
// the API. It covers keys, types and fixed vocabularies; Check finds more. A
// test holds it against the Go types.
func JSONSchema() []byte { return append([]byte(nil), inventorySchema...) }

// DirectoryJSONSchema returns the JSON Schema (2020-12) of directory/v1.
func DirectoryJSONSchema() []byte { return append([]byte(nil), directorySchema...) }
