# zsh -f complete.zsh FOLDER LINE: print what zsh offers behind a line, with the completions of a folder.
# A shell of its own, behind a pseudo-terminal, gets the line and a tab once its editor says that it reads; it prints
# between < and > what it would offer, and ends.
zmodload zsh/zpty
cat >$1/.zshrc <<'END'
PROMPT=
fpath=($ZDOTDIR $fpath)
autoload -Uz compinit && compinit -u -D
zmodload zsh/zutil
zstyle ':completion:*' insert-tab false
bindkey '^I' complete-word
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
  local -a offered
  builtin compadd -A offered "$@"
  for one in $offered; do print -r -- "<$one>"; done
  (( $#offered ))
}
finished() { print FINISHED; exit }
comppostfuncs=(finished)
zle-line-init() { print READING }
zle -N zle-line-init
END
zpty shell env ZDOTDIR=$1 zsh -i
zpty -r -m shell said '*READING*'
zpty -w -n shell "$2"$'\t'
said=""
while [[ $said != *FINISHED* ]] && zpty -r shell line; do said+=$line; done
print -r -- "$said" | grep -o '<[^<>]*>'
