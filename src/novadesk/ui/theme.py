"""The look in force: palette, scale, fonts and style sheet; follows the system unless told otherwise.

High contrast and less motion are the system's to ask for; the settings ask for them too, and NOVADESK_CONTRAST=high.
"""

import dataclasses
import os
from enum import Enum

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontInfo, QGuiApplication, QIcon, QPalette
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QWidget

from novadesk.config import WindowSettings
from novadesk.installation import find_resources
from novadesk.ui import resources, tokens
from novadesk.ui.tokens import DARK, DARK_CONTRAST, LIGHT, LIGHT_CONTRAST, Palette, Tone

_KNOB_BORDER = 2
_RADIO_EDGE = 3
"""Border and padding of a radio button in the style sheet, which do not grow."""

_EFFECTS = (
    Qt.UIEffect.UI_AnimateMenu,
    Qt.UIEffect.UI_FadeMenu,
    Qt.UIEffect.UI_AnimateCombo,
    Qt.UIEffect.UI_AnimateTooltip,
    Qt.UIEffect.UI_FadeTooltip,
)


class Scheme(Enum):
    """Which palette to use."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Theme(QObject):
    """Hold the palette and dress widgets in it. `changed` asks painted widgets and icons to renew themselves.

    Args:
        scheme: light, dark, or as the system says.
        window: what else the settings say of the look.

    Attributes:
        palette: the colours in force.
        scale: times the usual lengths; that of the settings holds from the start on.
        still: nothing may move or blink that only decorates.
    """

    changed = Signal()

    def __init__(
        self, scheme: Scheme = Scheme.SYSTEM, parent: QObject | None = None, *, window: WindowSettings | None = None
    ) -> None:
        super().__init__(parent)
        self._scheme = scheme
        self._window = window or WindowSettings()
        self._font_scale = self._window.font_scale
        self._blink_ms = QApplication.cursorFlashTime()
        self._effects = [effect for effect in _EFFECTS if QApplication.isEffectEnabled(effect)]
        self.still = False
        self._dressed: list[QWidget] = []
        self.palette: Palette = LIGHT
        self.scale = 1.0
        self._choose()
        style = QApplication.style()
        if style is None or style.objectName().lower() != "fusion":
            QApplication.setStyle("Fusion")
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self.renew)
        QGuiApplication.instance().screenAdded.connect(self.renew)  # type: ignore[union-attr]  # icons are drawn for it
        hints.accessibility().contrastPreferenceChanged.connect(self.renew)
        hints.accessibility().motionPreferenceChanged.connect(self.renew)

    def set_scheme(self, scheme: Scheme) -> None:
        """Use one palette whatever the system says, or follow the system."""
        self._scheme = scheme
        self.renew()

    def use(self, window: WindowSettings) -> None:
        """Look as other settings say; another size of the font is for the next start."""
        self._window = window
        self.set_scheme(Scheme[window.scheme.name])

    def renew(self) -> None:
        """Read scheme and font size of the system again and dress everything anew."""
        self._choose()
        for widget in self._dressed:
            self._dress(widget)
        self.changed.emit()

    def dress(self, widget: QWidget) -> None:
        """Give a window or dialog its look, now and after every change."""
        self._dressed.append(widget)
        widget.destroyed.connect(lambda: self._dressed.remove(widget))
        self._dress(widget)

    def px(self, length: float) -> int:
        """Return a length of the layout, grown with the system's font."""
        return round(length * self.scale)

    @property
    def radio_indent(self) -> int:
        """Return how far from its edge the words of a radio button begin, in pixels."""
        return int(knobs(self.scale)["radio_text"].removesuffix("px"))

    def font(self, size: float, *, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
        """Return the system's font in one of the sizes of `tokens`."""
        font = QFont(QApplication.font())
        font.setPixelSize(self.px(size))
        font.setWeight(weight)
        return font

    def colour(self, tone: Tone) -> QColor:
        """Return the colour of a tone."""
        return QColor(self.palette.of(tone))

    def icon(self, name: str, colour: str | None = None, *sizes: int) -> QIcon:
        """Return an icon in the text colour or a given one, in sizes as `resources.icon` takes them."""
        faded = tokens.blend(self.palette.muted, self.palette.ground, 0.45)
        return resources.icon(name, colour or self.palette.text, faded, *sizes)

    def _choose(self) -> None:
        dark = self._scheme is Scheme.DARK or (
            self._scheme is Scheme.SYSTEM and QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark
        )
        if self._window.high_contrast or wants_contrast():
            self.palette = DARK_CONTRAST if dark else LIGHT_CONTRAST
        else:
            self.palette = DARK if dark else LIGHT
        self.scale = max(1.0, QFontInfo(QApplication.font()).pixelSize() / tokens.FONT_BASE) * self._font_scale
        self.still = self._window.reduced_motion or wants_stillness()
        QApplication.setCursorFlashTime(0 if self.still else self._blink_ms)
        for effect in self._effects:
            QApplication.setEffectEnabled(effect, not self.still)

    def _dress(self, widget: QWidget) -> None:
        widget.setPalette(_qt_palette(self.palette))
        widget.setFont(self.font(tokens.FONT_BASE))
        widget.setStyleSheet(resources.stylesheet(self._values(), self.scale))
        for buttons in widget.findChildren(QDialogButtonBox):
            if (line := buttons.layout()) is not None:
                line.setSpacing(self.px(tokens.SPACE_2))

    def _values(self) -> dict[str, str]:
        palette = self.palette
        values = {
            entry.name: str(getattr(palette, entry.name))
            for entry in dataclasses.fields(palette)
            if entry.name != "dark"
        }
        values["accent_hover"] = tokens.blend(palette.text, palette.accent, 0.12)
        values["faded"] = tokens.blend(palette.muted, palette.ground, 0.55)
        values["handle"] = tokens.blend(palette.muted, palette.ground, 0.35)
        values["bad_ground"] = tokens.blend(palette.bad, palette.surface, 0.07)
        high = palette in (LIGHT_CONTRAST, DARK_CONTRAST)
        values["segment_line"] = palette.outline if high or palette.dark else palette.surface
        values["off_line"] = palette.line if high else tokens.blend(palette.muted, palette.ground, 0.3)
        values["bad_line"] = palette.bad if high else tokens.blend(palette.bad, palette.surface, 0.35)
        seen = tokens.contrast(palette.line, palette.ground) >= tokens.SHAPE_CONTRAST
        values["groove"] = palette.line if seen else palette.outline
        values |= knobs(self.scale)
        kind = "dark" if palette.dark else "light"
        for name in ("chevron", "chevron-up", "tick"):
            values[name.replace("-", "_")] = (find_resources() / "icons" / f"{name}-{kind}.svg").as_posix()
        lengths = {
            "space_1": tokens.SPACE_1,
            "space_2": tokens.SPACE_2,
            "space_3": tokens.SPACE_3,
            "space_4": tokens.SPACE_4,
            "radius": tokens.RADIUS_CONTROL,
            "radius_surface": tokens.RADIUS_SURFACE,
            "small": tokens.FONT_SMALL,
            "base": tokens.FONT_BASE,
            "conversation": tokens.FONT_CONVERSATION,
            "title": tokens.FONT_TITLE,
        }
        return values | {name: f"{self.px(length)}px" for name, length in lengths.items()}


def knobs(scale: float) -> dict[str, str]:
    """Return the lengths of round controls: a radius above half of the whole would make Qt draw a square."""
    groove, knob, dot = (2 * round(length * scale / 2) for length in (4, 12, 6))
    gap = round(tokens.SPACE_2 * scale)
    whole = knob + 2 * _KNOB_BORDER
    lengths = {
        "groove_height": groove,
        "knob": knob,
        "knob_radius": whole // 2,
        "knob_margin": -(whole - groove) // 2,
        "dot": dot,
        "dot_border": (whole - dot) // 2,
        "radio_text": whole + gap + _RADIO_EDGE,
    }
    return {name: f"{length}px" for name, length in lengths.items()}


def wants_contrast() -> bool:
    """Return whether the person asks for high contrast."""
    hints = QGuiApplication.styleHints()
    preferred = hints.accessibility().contrastPreference() is Qt.ContrastPreference.HighContrast
    return preferred or os.environ.get("NOVADESK_CONTRAST") == "high"


def wants_stillness() -> bool:
    """Return whether the person asks the system for less motion."""
    hints = QGuiApplication.styleHints()
    return hints.accessibility().motionPreference() is Qt.MotionPreference.ReducedMotion


def _qt_palette(palette: Palette) -> QPalette:
    roles = {
        QPalette.ColorRole.Window: palette.ground,
        QPalette.ColorRole.WindowText: palette.text,
        QPalette.ColorRole.Base: palette.surface,
        QPalette.ColorRole.AlternateBase: palette.sunken,
        QPalette.ColorRole.Text: palette.text,
        QPalette.ColorRole.Button: palette.surface,
        QPalette.ColorRole.ButtonText: palette.text,
        QPalette.ColorRole.BrightText: palette.bad,
        QPalette.ColorRole.Highlight: palette.accent,
        QPalette.ColorRole.HighlightedText: palette.on_accent,
        QPalette.ColorRole.Link: palette.accent,
        QPalette.ColorRole.LinkVisited: palette.accent,
        QPalette.ColorRole.PlaceholderText: palette.muted,
        QPalette.ColorRole.ToolTipBase: palette.surface,
        QPalette.ColorRole.ToolTipText: palette.text,
        QPalette.ColorRole.Light: palette.surface,
        QPalette.ColorRole.Midlight: palette.hover,
        QPalette.ColorRole.Mid: palette.line,
        QPalette.ColorRole.Dark: palette.outline,
        QPalette.ColorRole.Shadow: palette.line,
        QPalette.ColorRole.Accent: palette.accent,
    }
    result = QPalette()
    for role, colour in roles.items():
        result.setColor(role, QColor(colour))
    faded = QColor(tokens.blend(palette.muted, palette.ground, 0.55))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, role, faded)
    return result
