#!/usr/bin/env bash
# What pip cannot bring, in one place. Installs what is missing with apt where it may, else prints the line to type.
#
#   requirements/system.sh             what running needs: PortAudio
#   requirements/system.sh --build     what building needs too: a C++ compiler, Python's headers, venv
#   requirements/system.sh --browser   what the browser tests need too: Chromium
set -euo pipefail
python=${PYTHON:-python3}
missing=()

has_library() { ldconfig -p 2>/dev/null | grep -q "$1" || "$python" -c "import ctypes.util, sys; sys.exit(not ctypes.util.find_library('$2'))"; }

has_library libportaudio.so.2 portaudio || missing+=(libportaudio2)
for option in "$@"; do
  case $option in
    --build)
      command -v c++ >/dev/null || missing+=(g++)
      "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
      "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' \
        || missing+=(python3-dev)
      ;;
    --browser)
      command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
        || missing+=(chromium)
      ;;
    *)
      echo "requirements/system.sh: wants --build or --browser, got '$option'" >&2
      exit 2
      ;;
  esac
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo --non-interactive)
if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo --non-interactive true 2>/dev/null; }; then
  echo "installing with apt: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "missing on this machine, and this user may not install it. Type:" >&2
  echo "  sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
