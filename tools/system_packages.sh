#!/bin/sh
# Installs the outside programs that the tests use, where apt and the rights are there; says what is skipped elsewhere.
set -u
command -v iverilog >/dev/null 2>&1 && exit 0
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2>/dev/null; then as_root="sudo -n"; else as_root="none"; fi
    if [ "$as_root" != none ]; then
        echo "installing Icarus Verilog (iverilog) with apt"
        { $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq iverilog; } >/dev/null 2>&1
        command -v iverilog >/dev/null 2>&1 && exit 0
    fi
fi
echo "Icarus Verilog is not installed (iverilog): install it by hand; without it, running and checking rsfq netlists is skipped"
