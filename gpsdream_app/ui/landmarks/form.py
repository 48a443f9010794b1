"""How a landmark is lifted: method, quality, and what few people change; at its end the button that lifts."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from gpsdream_app.domain.lifts import LiftMethod, LiftQuality
from gpsdream_app.domain.requests import MAX_SEED
from gpsdream_app.ui.landmarks.state import Landmarks
from gpsdream_app.ui.phrases import menu_text, tooltip
from gpsdream_app.ui.state import new_seed
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2
from gpsdream_app.ui.widgets import (
    ChoiceBox,
    FieldBox,
    IconButton,
    NumberEdit,
    PrimaryButton,
    Segments,
    Slider,
    TextButton,
    label,
)

GUIDANCE = (0.0, 10.0)
USUAL_GUIDANCE = 2.0  # where the model's card says nothing else


class LiftForm(QWidget):
    """The form.

    Signals:
        lift_asked: the chosen landmark shall be lifted.
    """

    lift_asked = Signal()

    def __init__(self, theme: Theme, place: Landmarks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._place = place
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_1)
        column.addWidget(label(self.tr("Method"), "small", parent=self))
        self.methods = Segments(
            theme,
            [
                (LiftMethod.REFINE, self.tr("Refine"), ""),
                (LiftMethod.VIEWS, self.tr("Views"), ""),
                (LiftMethod.SDS, self.tr("SDS"), ""),
                (LiftMethod.TEXT, self.tr("Text"), ""),
            ],
            self,
        )
        self.methods.chosen.connect(lambda key: place.change(method=LiftMethod(key)))
        for method in LiftMethod:
            button = self.methods.button(method)
            button.setToolTip(tooltip(self.method_text(method)))
            button.setAccessibleName(self.method_name(method))
        column.addWidget(self.methods)
        self.about = label("", "small", wrap=True, parent=self)
        self.about.setMinimumHeight(self.about.fontMetrics().lineSpacing() * 2)
        self.about.setAlignment(Qt.AlignmentFlag.AlignTop)
        column.addWidget(self.about)
        column.addWidget(label(self.tr("Quality"), "small", parent=self))
        self.qualities = Segments(
            theme,
            [
                (LiftQuality.FAST, self.tr("Fast"), ""),
                (LiftQuality.BALANCED, self.tr("Balanced"), ""),
                (LiftQuality.FINE, self.tr("Fine"), ""),
            ],
            self,
        )
        self.qualities.chosen.connect(lambda key: place.change(quality=LiftQuality(key)))
        column.addWidget(self.qualities)
        self.fold = TextButton(theme, self.tr("More"), "right", look="fold", parent=self)
        self.fold.setCheckable(True)
        self.fold.toggled.connect(self._unfold)
        column.addWidget(self.fold, 0, Qt.AlignmentFlag.AlignLeft)
        self.more = self._make_more(theme)
        self.more.hide()
        column.addWidget(self.more)
        column.addSpacing(SPACE_1)
        self.lift = PrimaryButton(theme, self.tr("Lift to 3D"), self.tr("Ctrl+Enter"), self)
        self.lift.clicked.connect(self.lift_asked)
        column.addWidget(self.lift)
        self.estimate = label("", "small", wrap=True, parent=self)
        self.estimate.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.estimate)
        place.wish_changed.connect(self.refresh)
        place.model_changed.connect(self._show_models)
        place.model_changed.connect(self.refresh)
        place.chosen_changed.connect(self.refresh)
        place.lifts.history_changed.connect(self.refresh)
        place.lifts.changed.connect(lambda _: self.refresh())
        self._show_models()
        self.refresh()

    def _make_more(self, theme: Theme) -> QWidget:
        part = QWidget(self)
        grid = QGridLayout(part)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE_2)
        grid.setVerticalSpacing(SPACE_1)
        head = QHBoxLayout()
        head.setSpacing(SPACE_1)
        head.addWidget(label(self.tr("Guidance"), "small", parent=part))
        self.guidance_text = label("", "number", parent=part)
        self.reset = TextButton(theme, self.tr("Model's own"), look="link", parent=part)
        self.reset.setAccessibleName(self.tr("Use the guidance that the model asks for"))
        self.reset.clicked.connect(lambda: self._place.change(guidance=None))
        head.addWidget(self.guidance_text, 1)
        head.addWidget(self.reset)
        grid.addLayout(head, 0, 0, 1, 2)
        self.guidance = Slider(*GUIDANCE, parent=part)
        self.guidance.setAccessibleName(self.tr("Guidance"))
        self.guidance.setToolTip(
            tooltip(
                self.tr(
                    "How strictly the pictures follow words and angle. High values give garish colours; 1 to 3 suit "
                    "models that know the angle."
                )
            )
        )
        self.guidance.number_changed.connect(lambda number: self._place.change(guidance=number))
        grid.addWidget(self.guidance, 1, 0, 1, 2)
        grid.addWidget(label(self.tr("Seed"), "small", parent=part), 2, 0, 1, 2)
        box = FieldBox(part)
        self.seed = NumberEdit(0, MAX_SEED, parent=box)
        self.seed.setProperty("look", "bare")
        self.seed.setAccessibleName(self.tr("Seed"))
        self.seed.setContentsMargins(SPACE_2, 0, 0, 0)
        self.seed.number_changed.connect(lambda number: self._place.change(seed=int(number)))
        self.dice = IconButton(theme, "dice", self.tr("Another seed"), size=16, parent=box)
        self.dice.clicked.connect(lambda: self._place.change(seed=new_seed()))
        box.add(self.seed, 1)
        box.add(self.dice)
        grid.addWidget(box, 3, 0, 1, 2)
        self.model_label = label(self.tr("Model"), "small", parent=part)
        self.models = ChoiceBox(theme, self.tr("Model of landmarks"), part)
        self.models.activated.connect(self._choose_model)
        grid.addWidget(self.model_label, 4, 0, 1, 2)
        grid.addWidget(self.models, 5, 0, 1, 2)
        return part

    # -- what is shown --

    def refresh(self) -> None:
        """Show what is wished, and what it would take."""
        place = self._place
        wish = place.wish
        self.methods.show_choice(wish.method)
        self.qualities.show_choice(wish.quality)
        self.about.setText(self.method_text(wish.method))
        own = wish.guidance is None
        guidance = place.usual_guidance(USUAL_GUIDANCE) if wish.guidance is None else wish.guidance
        self.guidance.show_number(guidance)
        self.guidance_text.setText(f"{guidance:.1f}")
        self.reset.setVisible(not own)
        self.seed.show_number(wish.seed)
        obstacle = place.obstacle()
        self.lift.setEnabled(not obstacle)
        self.estimate.setText(obstacle or place.estimate_text())
        job = place.lifts.job_of(place.chosen_id)
        self.lift.setText(self.tr("Lift another") if job and not obstacle else self.tr("Lift to 3D"))
        self.lift.setAccessibleName(self.lift.text())
        self.lift.setAccessibleDescription(self.estimate.text())
        self.lift.update()

    def _show_models(self) -> None:
        place = self._place
        self.models.clear()
        for model in place.models:
            self.models.addItem(menu_text(model.card.title), model.name)
        self.models.setCurrentIndex(max(0, self.models.findData(place.wish.model)))
        several = len(place.models) > 1
        self.models.setVisible(several)
        self.model_label.setVisible(several)

    def _choose_model(self, index: int) -> None:
        self._place.change(model=str(self.models.itemData(index)))

    def _unfold(self, unfolded: bool) -> None:
        self.fold.set_icon("down" if unfolded else "right")
        self.more.setVisible(unfolded)

    def method_name(self, method: LiftMethod) -> str:
        """Return a method's name as people say it."""
        return {
            LiftMethod.REFINE: self.tr("Refine"),
            LiftMethod.VIEWS: self.tr("Views"),
            LiftMethod.SDS: self.tr("Score distillation"),
            LiftMethod.TEXT: self.tr("Text only"),
        }[method]

    def method_text(self, method: LiftMethod) -> str:
        """Return what a method does, in a sentence."""
        return {
            LiftMethod.REFINE: self.tr(
                "Draws views all round, fits a shape, draws them again from it, fits once more."
            ),
            LiftMethod.VIEWS: self.tr("Draws views all round and fits a shape to them. The quickest way."),
            LiftMethod.SDS: self.tr("Asks the model at every step from another side which way the shape is wrong."),
            LiftMethod.TEXT: self.tr("Like SDS, with the side told in words and no angle. For comparison."),
        }[method]
