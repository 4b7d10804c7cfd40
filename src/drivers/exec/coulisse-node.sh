#!/bin/sh
# What Coulisse's ssh key may run on a node, and nothing beside it. Installed as /usr/local/sbin/coulisse-node; authorized_keys names
# it as the forced command, with the rights of that key:
#   restrict,command="/usr/local/sbin/coulisse-node maintenance-mode stop-osd" ssh-ed25519 AAAA... coulisse
# maintenance-mode: ha-manager crm-command node-maintenance enable|disable NODE
# stop-osd:         stop-osd N, for an OSD of this node
# ceph:             ceph as client.coulisse, whose own rights are narrow
# Every key may ask `coulisse-node check`. Exit 77: refused. 255 is left to ssh itself.
LC_ALL=C
export LC_ALL
set -u
set -f
PATH=$PATH:/usr/sbin:/sbin
version=1
osd_data=/var/lib/ceph/osd/ceph-
rights=" $* "
asked=${SSH_ORIGINAL_COMMAND-}

record() { logger -t coulisse-node -- "$1" 2>/dev/null || :; }
refuse() {
  record "refused: $1"
  printf 'coulisse-node: refused: %s\n' "$1" >&2
  exit 77
}
may() {
  case $rights in
    *" $1 "*) ;;
    *) refuse "this key has no right '$1' in authorized_keys" ;;
  esac
}
node_name() {
  case $1 in '' | -* | *- | *[!A-Za-z0-9-]*) return 1 ;; esac
  [ ${#1} -le 63 ]
}
number() {
  case $1 in '' | *[!0-9]* | 0?*) return 1 ;; esac
  [ ${#1} -le 6 ]
}
# `ceph daemon` would pass by cephx, and --in-file could read any file of this node: neither is among these.
ceph_words() {
  case ${1-} in
    --format)
      [ "$*" = '--format json' ]
      return
      ;;
    status | versions | health | osd | mon | mgr | node | quorum_status | config | config-key | auth) ;;
    *) return 1 ;;
  esac
  while [ $# -gt 0 ]; do
    case $1 in
      --format) [ "${2-}" = json ] && shift || return 1 ;;
      --in-file) [ "${2-}" = - ] && shift || return 1 ;;
      -*) return 1 ;;
    esac
    shift
  done
}
run() {
  record "$*"
  "$@"
  status=$?
  [ "$status" -eq 255 ] && status=1
  exit "$status"
}
has() { command -v "$1" >/dev/null 2>&1 && echo yes || echo no; }

[ ${#asked} -le 2000 ] || refuse 'the command is too long'
case $asked in
  '') refuse 'no command: nobody logs in with this key' ;;
  *[!A-Za-z0-9\ ./_-]*) refuse 'the command holds a character that none of ours has' ;;
esac
# shellcheck disable=SC2086 # to be split into its words
set -- $asked
[ "$*" = "$asked" ] || refuse 'the command is not one blank between words'

case $1 in
  coulisse-node)
    [ "$*" = 'coulisse-node check' ] || refuse "unknown command '$asked'"
    printf 'coulisse-node %s\nrights%s\nha-manager %s\nsystemctl %s\nceph %s\n' \
      "$version" "${rights% }" "$(has ha-manager)" "$(has systemctl)" "$(has ceph)"
    ;;
  ha-manager)
    may maintenance-mode
    [ $# -eq 5 ] && [ "$2 $3" = 'crm-command node-maintenance' ] || refuse "unknown command '$asked'"
    case $4 in enable | disable) ;; *) refuse "'$4' is neither enable nor disable" ;; esac
    node_name "$5" || refuse "'$5' is not a node's name"
    run "$@" </dev/null
    ;;
  stop-osd)
    may stop-osd
    [ $# -eq 2 ] && number "$2" || refuse "unknown command '$asked'"
    [ -e "$osd_data$2" ] || refuse "osd.$2 does not live on this node"
    run systemctl stop "ceph-osd@$2.service" </dev/null
    ;;
  ceph)
    may ceph
    shift
    ceph_words "$@" || refuse "unknown command '$asked'"
    run ceph --name client.coulisse "$@"
    ;;
  *) refuse "unknown command '$asked'" ;;
esac
