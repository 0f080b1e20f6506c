# Debian and Ubuntu packages, named the same in Debian 12 and 13 and in Ubuntu 24.04.
# shellcheck shell=bash disable=SC2034  # sourced by setup.sh

# The program itself: sound, and what Qt's xcb and wayland platforms link to.
RUN_PACKAGES=(
  libportaudio2 libasound2-plugins libpulse0
  libegl1 libgl1 libdbus-1-3 libfontconfig1 libglib2.0-bin
  libxkbcommon0 libxkbcommon-x11-0 libx11-xcb1 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1
  libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-shm0 libxcb-sync1 libxcb-xfixes0 libxcb-xinerama0 libxcb-xkb1
  fontconfig fonts-dejavu-core
)

# The private desktop of tests/support: display, window manager, sound server, bus, keyring, voice; strace sees
# fsync, and squashfs-tools packs an AppImage.
RIG_PACKAGES=(
  xvfb openbox xdotool x11-utils imagemagick
  pulseaudio pulseaudio-utils
  dbus gnome-keyring at-spi2-core
  festival festvox-us-slt-hts festvox-kallpc16k flite fonts-noto-cjk fonts-noto-color-emoji
  strace squashfs-tools
)

# What the program cannot start without; looked for when nothing can be installed.
RUN_LIBRARIES=(libportaudio.so.2 libEGL.so.1 libGL.so.1 libfontconfig.so.1 libxkbcommon.so.0 libglib-2.0.so.0)

# PyInstaller reads libraries with objdump, chrpath takes the builder's folders out of them; the rest tries packages: in a
# clean root, on the private desktop, with the judges of the distribution.
PACKAGE_PACKAGES=(binutils chrpath debootstrap lintian appstream desktop-file-utils "${RIG_PACKAGES[@]}")
