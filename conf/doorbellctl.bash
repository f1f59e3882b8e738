# SPDX-License-Identifier: ISC
# bash completion for doorbellctl(8); what can be completed is its own to say.
_doorbellctl()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}

	if [ "$before" = -c ] || [ "$before" = --config ]; then
		COMPREPLY=($(compgen -f -- "$word"))
		return
	fi
	COMPREPLY=($(compgen -W "$(doorbellctl completion -- \
	    "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "$word"))
}
# Where it has nothing to say, file names are what may follow.
complete -o default -F _doorbellctl doorbellctl
