"""What made-up visits and calls were about, in the three scripts: (subject, what was said)."""

from typing import Final

from crm.demo.people import Script

Talk = tuple[str, str]

WITH_COMPANIES: Final[dict[Script, tuple[Talk, ...]]] = {
    "zh-Hant": (
        ("介紹新產品", "對方對下一季的新品有興趣，希望收到樣品與報價。"),
        ("年度合約討論", "價格大致談妥，付款條件改為月結六十天，待總公司同意。"),
        ("交期追蹤", "上次的交貨晚了兩天，已說明原因，對方可以接受。"),
        ("參觀工廠", "看了新的產線，產能比去年多三成，適合談長期合作。"),
        ("請款與對帳", "帳款已核對無誤，下週三匯款。"),
    ),
    "zh-Hans": (
        ("新品推介", "对方对下一季度的新品感兴趣，希望收到样品和报价。"),
        ("年度合同洽谈", "价格基本谈妥，付款条件改为月结六十天，待总部同意。"),
        ("交期跟进", "上次交货晚了两天，已说明原因，对方表示理解。"),
        ("参观工厂", "看了新生产线，产能比去年高三成，适合谈长期合作。"),
        ("对账", "账款已核对无误，下周三付款。"),
    ),
    "en": (
        ("New product line", "They like next quarter's products and asked for samples and a quote."),
        ("Annual contract", "Prices agreed in the main; payment in 60 days, if headquarters agrees."),
        ("Late delivery", "The last delivery came two days late. Explained why; they accept it."),
        ("Plant tour", "Saw the new production line: a third more capacity than last year."),
        ("Invoices", "All invoices match. They pay next Wednesday."),
    ),
}

WITH_HOUSEHOLDS: Final[dict[Script, tuple[Talk, ...]]] = {
    "zh-Hant": (
        ("會員卡問題", "說明會員折扣怎麼計算，已經清楚。"),
        ("宅配時間", "希望改在週六上午送達。"),
        ("退換貨", "有一件商品包裝破損，已安排更換。"),
    ),
    "zh-Hans": (
        ("会员卡咨询", "说明了会员折扣的计算方法，客户已清楚。"),
        ("送货时间", "希望改为周六上午送达。"),
        ("退换货", "有一件商品包装破损，已安排更换。"),
    ),
    "en": (
        ("Loyalty card", "Explained how the card's discount is counted."),
        ("Delivery time", "Would rather have deliveries on Saturday mornings."),
        ("Exchange", "One item came with a torn package; a new one is on its way."),
    ),
}

HOUSEHOLD_NOTE: Final[dict[Script, str]] = {
    "zh-Hant": "示範資料：家庭與消費紀錄為真實匿名資料，姓名、電話與地址是虛構的。",
    "zh-Hans": "演示数据：家庭与消费记录为真实匿名数据，姓名、电话与地址是虚构的。",
    "en": "Sample data: the household and its purchases are real and anonymous; name, phone and address are made up.",
}

COMPANY_NOTE: Final[dict[Script, str]] = {
    "zh-Hant": "示範資料：這家公司是虛構的。",
    "zh-Hans": "演示数据：这家公司是虚构的。",
    "en": "Sample data: this company is made up.",
}
