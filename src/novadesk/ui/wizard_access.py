"""First steps, page 1: where to talk, and whether that works."""

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QApplication,
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from novadesk.config import BackendSettings, Settings
from novadesk.conversation.firststeps import AccessStep, StepState
from novadesk.errors import KnownError
from novadesk.models import BackendKind
from novadesk.permission import NOT_VERIFIED
from novadesk.ui import tokens
from novadesk.ui.bridge import Question
from novadesk.ui.controls import ShapeLabel
from novadesk.ui.gateway_account import AccountBox
from novadesk.ui.i18n import tr
from novadesk.ui.note import Note
from novadesk.ui.setting_table import REGIONS
from novadesk.ui.theme import Theme
from novadesk.ui.tokens import Tone
from novadesk.ui.wizard_page import Post, Surroundings, WizardPage
from novadesk.voices import VOICES

ACCESS_S = 90.0
"""Three calls with deadlines of their own; the practice server takes up to 20 s to start."""


class AccessPage(WizardPage):
    """Practice partner, Amazon Bedrock or a gateway; a test that calls the service as a conversation does."""

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.title = tr("Where do you want to talk?")
        self.intro = tr("You can change this at any time. The practice partner needs no account and no network.")
        self._question: Question | None = None
        self._before = BackendSettings()
        self._looked_at = ""
        self._post = Post(self._on_step, self)
        self.kinds: dict[BackendKind, QRadioButton] = {}
        group = QButtonGroup(self)
        for kind, name, sentence in (
            (BackendKind.PRACTICE, tr("Practice partner"), tr("A simple voice on this computer, to try everything.")),
            (BackendKind.BEDROCK, tr("Amazon Bedrock"), tr("Amazon Nova Sonic, with your own AWS account.")),
            (BackendKind.GATEWAY, tr("Gateway"), tr("Your team's server: no AWS account, but a sign-in there.")),
        ):
            button = self.kinds[kind] = self.choice(group, name, sentence)
            button.toggled.connect(self._on_kind)
            if kind is BackendKind.BEDROCK:
                self._make_account()
        self._make_gateway()
        self._make_test()
        self.body.addStretch(1)

    def _make_account(self) -> None:
        self.account = QWidget(self)
        within, self.body = self.body, QVBoxLayout(self.account)
        self.body.setContentsMargins(self.around.theme.radio_indent, 0, 0, 0)
        self.profile = QLineEdit(self)
        self.profile.setPlaceholderText(tr("default"))
        self.region, self.model = QComboBox(self), QComboBox(self)
        for box, entries in ((self.region, REGIONS), (self.model, tuple(VOICES))):
            box.setEditable(True)
            box.addItems(list(entries))
        self.form((tr("AWS &profile"), self.profile), (tr("&Region"), self.region), (tr("&Model"), self.model))
        self.policy = QPushButton(tr("&Copy the IAM policy"), self)
        self.policy.setObjectName("small")
        self.policy.setAutoDefault(False)
        self.policy.clicked.connect(self._on_policy)
        self.policy_note = Note(self.around.theme, self)
        line = QHBoxLayout()
        line.addWidget(self.policy)
        line.addStretch(1)
        self.body.addLayout(line)
        self.body.addWidget(self.policy_note)
        self.body = within
        self.body.addWidget(self.account)

    def _make_gateway(self) -> None:
        theme, steps = self.around.theme, self.around.steps
        self.place = QWidget(self)
        within = QVBoxLayout(self.place)
        within.setContentsMargins(theme.radio_indent, 0, 0, 0)
        self.gateway = QLineEdit(self.place)
        self.gateway.setPlaceholderText(tr("Address, such as wss://voice.example.com"))
        self.gateway.setAccessibleName(tr("Address of the gateway"))
        self.sign_in = AccountBox(theme, self.around.bridge, steps, self._backend, self.place)
        self.gateway.editingFinished.connect(self._on_gateway)
        within.addWidget(self.gateway)
        within.addWidget(self.sign_in)
        self.body.addWidget(self.place)

    def _make_test(self) -> None:
        theme = self.around.theme
        self.test = QPushButton(tr("&Test access"), self)
        self.test.setAutoDefault(False)
        self.test.clicked.connect(self.toggle)
        self.note = Note(theme, self)
        line = QHBoxLayout()
        line.setSpacing(theme.px(tokens.SPACE_3))
        line.addWidget(self.test, 0, Qt.AlignmentFlag.AlignLeft)
        line.addWidget(self.note, 1)
        self.body.addLayout(line)
        self.rows = StepRows(theme, self)
        self.body.addWidget(self.rows)

    @property
    def kind(self) -> BackendKind:
        """Return what is chosen."""
        return next((kind for kind, button in self.kinds.items() if button.isChecked()), BackendKind.PRACTICE)

    def begin(self, settings: Settings) -> None:  # noqa: D102
        backend = self._before = settings.backend
        self.kinds[backend.kind].setChecked(True)
        self.gateway.setText(backend.gateway)
        self.profile.setText(backend.profile)
        self.region.setCurrentText(backend.region)
        self.model.setCurrentText(backend.model)
        self._on_kind()

    def edited(self, settings: Settings) -> Settings:  # noqa: D102
        return replace(settings, backend=self._backend())

    def leave(self) -> None:  # noqa: D102
        self.stop()
        self.sign_in.stop()

    def first_field(self) -> QWidget | None:  # noqa: D102
        return self.kinds[self.kind]

    def toggle(self) -> None:
        """Begin to try the access, or stop."""
        if self._question is not None:
            self.stop()
            self.note.say(tr("Stopped."))
            return
        backend, steps, post = self._backend(), self.around.steps, self._post
        self.rows.clear()
        self.note.say(tr("Calling…"))
        self.test.setText(tr("&Stop"))
        post.start()
        self._question = self.around.bridge.ask(
            lambda: steps.try_access(backend, post.put), self._on_tried, self._on_error, owner=self, deadline_s=ACCESS_S
        )

    def stop(self) -> None:
        """Give up on the test; nothing when none runs."""
        question, self._question = self._question, None
        if question is not None:
            question.drop()
            self._post.drop()
            self.rows.clear()
            self.test.setText(tr("&Test access"))

    def _backend(self) -> BackendSettings:
        return replace(
            self._before,
            kind=self.kind,
            profile=self.profile.text().strip(),
            region=self.region.currentText().strip(),
            model=self.model.currentText().strip(),
            gateway=self.gateway.text().strip(),
        )

    def _on_kind(self) -> None:
        self.stop()
        self.note.say("")
        self.rows.clear()
        self.account.setVisible(self.kind is BackendKind.BEDROCK)
        self.place.setVisible(self.kind is BackendKind.GATEWAY)
        if self.kind is BackendKind.GATEWAY:
            self.sign_in.look()
        self.changed.emit()

    def _on_gateway(self) -> None:
        """Ask anew how the person stands, where the address has changed."""
        if self.kind is BackendKind.GATEWAY and self.gateway.text().strip() != self._looked_at:
            self._looked_at = self.gateway.text().strip()
            self.sign_in.look()
            self.changed.emit()

    def _on_step(self, step: AccessStep) -> None:
        self.rows.show_step(step)
        self.news.emit(self.rows)

    def _on_tried(self, works: bool) -> None:
        self._rest()
        self.note.say(tr("It works.") if works else tr("It does not work yet. See below what to do."), bad=not works)
        self.news.emit(self.rows)

    def _on_error(self, error: KnownError) -> None:
        self._rest()
        self.note.tell(error)

    def _rest(self) -> None:
        self._question = None
        self._post.stop()
        self.test.setText(tr("&Test access"))

    def _on_policy(self) -> None:
        backend, steps = self._backend(), self.around.steps

        def copy(policy: str) -> None:
            QApplication.clipboard().setText(policy)
            self.policy_note.say(tr("Copied. {caution}", caution=tr(NOT_VERIFIED)))

        self.around.bridge.ask(lambda: steps.policy(backend), copy, self._on_error, owner=self)


class StepRows(QWidget):
    """The steps of a test, each with shape and words."""

    _SHAPES = {  # noqa: RUF012 - a table that nobody changes
        StepState.RUNNING: ("state-connecting", Tone.QUIET),
        StepState.DONE: ("check", Tone.GOOD),
        StepState.FAILED: ("warning", Tone.BAD),
        StepState.SKIPPED: ("state-idle", Tone.QUIET),
    }

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.words: dict[str, QLabel] = {}
        self._shapes: dict[str, ShapeLabel] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(theme.px(tokens.SPACE_1))

    def clear(self) -> None:
        """Forget every step."""
        for label in (*self.words.values(), *self._shapes.values()):
            label.deleteLater()
        while (item := self._layout.takeAt(0)) is not None:
            item.deleteLater() if isinstance(item, QHBoxLayout) else None
        self.words.clear()
        self._shapes.clear()

    def show_step(self, step: AccessStep) -> None:
        """Add a step, or show how far it is now."""
        if step.name not in self.words:
            shape, words = ShapeLabel(self._theme, 16, self), QLabel(self)
            words.setWordWrap(True)
            line = QHBoxLayout()
            line.setSpacing(self._theme.px(tokens.SPACE_2))
            line.addWidget(shape)
            line.addWidget(words, 1)
            self._layout.addLayout(line)
            self.words[step.name], self._shapes[step.name] = words, shape
        shape_name, tone = self._SHAPES[step.state]
        if step.state is StepState.FAILED and not step.needed:
            tone = Tone.CAUTION
        self._shapes[step.name].set_shape(shape_name, tone)
        self.words[step.name].setText(step_words(step))


def step_words(step: AccessStep) -> str:
    """Return a step as people read it."""
    name = tr(step.name)
    if step.state is StepState.RUNNING:
        return tr("{name}: trying…", name=name)
    if step.state is StepState.FAILED:
        return tr("{name}: {what} {advice}", name=name, what=tr(step.what), advice=tr(step.advice))
    return tr("{name}: {what}.", name=name, what=tr(step.what))
