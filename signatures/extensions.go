package signatures

import (
	"fmt"
	"regexp"
	"strings"
)

// ExtensionRule matches an installed plugin of an editor or browser by the name
// that its store gives its folder or file.
type ExtensionRule struct {
	Store string `yaml:"store"` // see Stores
	ID    string `yaml:"id"`    // as the store writes it, see extensionForms
	// Folder is the name of a JetBrains plugin's folder, which its id does not
	// tell. Without it the rule only says that the plugin exists.
	Folder string `yaml:"folder,omitempty"`
}

func (r *ExtensionRule) text() string { return r.Store + "/" + r.ID }

// extensionForms are the forms of ids, by store.
var extensionForms = map[string]*regexp.Regexp{
	"vscode":    regexp.MustCompile(`^[a-z0-9][a-z0-9-]*\.[a-z0-9][a-z0-9._-]*$`), // publisher.name, lower case
	"chrome":    regexp.MustCompile(`^[a-p]{32}$`),
	"edge":      regexp.MustCompile(`^[a-p]{32}$`),
	"firefox":   regexp.MustCompile(`^([A-Za-z0-9._-]*@[A-Za-z0-9._-]+|\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\})$`),
	"jetbrains": regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]*$`),
	"vim":       regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]{2,}$`), // owner/repository
	"emacs":     regexp.MustCompile(`^[a-z0-9][a-z0-9+-]+$`),
	"sublime":   regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._+-]+$`),
}

var folderForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._+-]{1,63}$`)

// checkExtension says what keeps an extension from being a rule.
func checkExtension(r *ExtensionRule) error {
	form := extensionForms[r.Store]
	switch {
	case form == nil:
		return fmt.Errorf("the store %q is none of %s", r.Store, strings.Join(Stores(), ", "))
	case len(r.ID) > maxPackageName || !form.MatchString(r.ID):
		return fmt.Errorf("%q is no id of the store %s", r.ID, r.Store)
	case r.Folder != "" && (r.Store != "jetbrains" || !folderForm.MatchString(r.Folder)):
		return fmt.Errorf("the folder %q goes with store jetbrains and is one name", r.Folder)
	}
	return nil
}

// extensionPlaces returns the file patterns where an extension lies when it is
// installed, the usual one first.
func extensionPlaces(r *ExtensionRule) []string {
	switch r.Store {
	case "vscode":
		// ~/.vscode/extensions/PUBLISHER.NAME-VERSION, and the same below the
		// folders of its forks:
		// https://code.visualstudio.com/docs/configure/extensions/extension-marketplace#_where-are-extensions-installed
		return []string{"extensions/" + r.ID + "-#"}
	case "chrome", "edge":
		// https://chromium.googlesource.com/chromium/src/+/main/docs/user_data_dir.md
		return []string{"Extensions/" + r.ID}
	case "firefox":
		// https://extensionworkshop.com/documentation/publish/distribute-sideloading/
		return []string{"extensions/" + r.ID + ".xpi"}
	case "jetbrains":
		// On Linux plugins lie beside each other in the product's folder:
		// https://www.jetbrains.com/help/idea/directories-used-by-the-ide-to-store-settings-caches-plugins-and-logs.html
		// https://developer.android.com/studio/intro/studio-config
		if r.Folder == "" {
			return nil
		}
		return []string{
			"JetBrains/*/plugins/" + r.Folder, "JetBrains/*/" + r.Folder,
			"Google/AndroidStudio*/plugins/" + r.Folder, "Google/AndroidStudio*/" + r.Folder,
		}
	case "vim":
		_, repository, _ := strings.Cut(r.ID, "/")
		return []string{
			"pack/*/start/" + repository, "pack/*/opt/" + repository, // https://vimhelp.org/repeat.txt.html#packages
			"plugged/" + repository,    // https://github.com/junegunn/vim-plug#usage
			"bundle/" + repository,     // https://github.com/VundleVim/Vundle.vim#quick-start
			"lazy/" + repository,       // https://lazy.folke.io/installation
			"repos/github.com/" + r.ID, // https://github.com/Shougo/dein.vim
		}
	case "emacs":
		return []string{
			"elpa/" + r.ID + "-#",                               // https://www.gnu.org/software/emacs/manual/html_node/emacs/Package-Files.html
			"straight/repos/" + r.ID, "straight/build*/" + r.ID, // https://github.com/radian-software/straight.el#the-straightel-directory
		}
	default: // sublime
		// https://www.sublimetext.com/docs/packages.html
		return []string{
			"Installed Packages/" + r.ID + ".sublime-package",
			"Sublime Text*/Packages/" + r.ID, "sublime-text*/Packages/" + r.ID,
		}
	}
}

func compileExtension(signature int32, r *ExtensionRule) ([]fileRule, error) {
	if err := checkExtension(r); err != nil {
		return nil, err
	}
	// Stores compare their ids without regard to case, and so do most of the
	// file systems that editors are used on.
	return installed(signature, "extension "+r.text(), extensionPlaces(r), true), nil
}

// extensionExample makes the observation of an installed extension,
// "vscode/anthropic.claude-code".
func extensionExample(e Example, o Observation) (Observation, error) {
	store, id, _ := strings.Cut(e.Extension, "/")
	r := ExtensionRule{Store: store, ID: id}
	if store == "jetbrains" {
		if r.Folder = e.Folder; r.Folder == "" {
			r.Folder = id // of a stranger, so that it hits nothing
		}
	}
	if err := checkExtension(&r); err != nil {
		return o, err
	}
	return placeExample(extensionPlaces(&r)[0], o), nil
}

// nameFolders gives the examples of JetBrains plugins the folders that the rules
// of the signature know.
func nameFolders(sig *Signature) {
	for i := range sig.Extensions {
		r := &sig.Extensions[i]
		for _, list := range [2][]Example{sig.Tests.Positive, sig.Tests.Negative} {
			for e := range list {
				if list[e].Extension == r.text() {
					list[e].Folder = r.Folder
				}
			}
		}
	}
}
