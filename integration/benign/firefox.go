package benign

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Reviewed is the version of Firefox whose list was read name by name where the
// catalogue matched it. Other versions bring names that nobody has looked at.
const Reviewed = "153.7.0"

// ErrNoFirefox says that Firefox is not installed where it is looked for.
var ErrNoFirefox = errors.New("no Firefox found: install firefox-esr (.ci/run does), or name the folder of its library")

// Folders are the places where distributions and Mozilla install Firefox.
func Folders() []string {
	return []string{"/usr/lib/firefox-esr", "/usr/lib/firefox", "/usr/lib64/firefox", "/opt/firefox", "/Applications/Firefox.app/Contents/MacOS"}
}

// landmarks are names that a list of sites reached by HTTPS alone has held since
// there is one (Google and GitHub asked for it first).
func landmarks() []string { return []string{"accounts.google.com", "github.com", "www.torproject.org"} }

// Firefox reads the list of the Firefox in one of folders, the first that has
// one.
func Firefox(folders ...string) (Source, error) {
	for _, folder := range folders {
		for _, library := range []string{"libxul.so", "XUL"} {
			data, err := os.ReadFile(filepath.Join(folder, library))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return Source{}, fmt.Errorf("reading Firefox: %w", err)
			}
			return firefox(folder, data)
		}
	}
	return Source{}, ErrNoFirefox
}

func firefox(folder string, library []byte) (Source, error) {
	at, err := Find(library, landmarks()...)
	if err != nil {
		return Source{}, fmt.Errorf("reading the library in %s: %w", folder, err)
	}
	names, err := Names(library, at)
	if err != nil {
		return Source{}, fmt.Errorf("reading the list in %s: %w", folder, err)
	}
	return Source{Name: "Firefox, sites reached by HTTPS alone", Version: version(folder), Licence: "MPL-2.0", Names: names}, nil
}

// version reads the version of the Firefox in folder, "unknown" where it does
// not say.
func version(folder string) string {
	for _, name := range []string{"application.ini", "../Resources/application.ini"} {
		f, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			continue
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if v, found := strings.CutPrefix(lines.Text(), "Version="); found {
				return strings.TrimSpace(v)
			}
		}
	}
	return "unknown"
}
