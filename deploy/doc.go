// Package deploy holds no code: its tests check what the folder ships (systemd
// units, container files, the compose file, example configurations) against
// each other, against the catalogue and against the commands of the binaries.
// They import signatures and the YAML reader, run nothing but the folder's own
// scripts, and need no container engine. Whether the examples load is tested on
// the built binaries.
package deploy
