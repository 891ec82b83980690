#!/bin/sh
# What only the slow tests need and pip cannot bring: a browser, a PostgreSQL server, Java for Spark.
# Where apt may not be used, the tests that need them are skipped and say so.
set -u
wanted=""
command -v chromium >/dev/null 2>&1 || wanted="$wanted chromium"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || wanted="$wanted postgresql"
java=openjdk-17-jre-headless
apt-cache show "$java" >/dev/null 2>&1 || java=default-jre-headless
command -v java >/dev/null 2>&1 || wanted="$wanted $java"
/usr/bin/python3 -c "import gi; gi.require_version('GstRtspServer', '1.0')" 2>/dev/null ||
    wanted="$wanted python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
ls /usr/sbin/mosquitto >/dev/null 2>&1 || wanted="$wanted mosquitto"
command -v promtool >/dev/null 2>&1 || wanted="$wanted prometheus"
[ -z "$wanted" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "Not Debian: install these yourself, or their tests are skipped:$wanted"
    exit 0
fi
sudo=""
if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then
        sudo="sudo"
    else
        echo "No right to install packages. Their tests are skipped until you run: sudo apt-get install$wanted"
        exit 0
    fi
fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq || true
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $wanted >/dev/null ||
    echo "Could not install$wanted; their tests are skipped."
exit 0
