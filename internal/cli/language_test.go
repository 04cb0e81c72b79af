package cli

import "testing"

func TestLanguage(t *testing.T) {
	for _, tt := range []struct {
		lang  string
		env   map[string]string
		want  string
		words string
	}{
		{"", nil, "", "en"},
		{"", map[string]string{"LANG": "zh_TW.UTF-8"}, "zh-TW", "zh-TW"},
		{"", map[string]string{"LANG": "zh_TW.UTF-8", "LC_ALL": "C.UTF-8"}, "", "en"},
		{"", map[string]string{"LANG": "zh_TW.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en-US", "en"},
		{"", map[string]string{"LANG": "de_DE@euro"}, "de-DE", "en"},
		{"zh-TW", map[string]string{"LC_ALL": "en_US.UTF-8"}, "zh-TW", "zh-TW"},
		{"", map[string]string{"LANG": "zh_HK.UTF-8"}, "zh-HK", "zh-TW"},
	} {
		p := &program{lang: tt.lang, Surroundings: Surroundings{Getenv: func(name string) string { return tt.env[name] }}}
		if got := p.language(); got != tt.want || p.spoken() != tt.words {
			t.Errorf("%q, %v: %q and %s, want %q and %s", tt.lang, tt.env, got, p.spoken(), tt.want, tt.words)
		}
	}
}
